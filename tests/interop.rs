//! The `strata` command against the Linux kernel, in namespaces that the command makes itself.
//!
//! Each test runs `strata sandbox -- CMD`; where CMD wants more than curl and ping can do, it is this very program
//! again, running one of the `inside_` tests within the namespace, on the kernel's sockets. As root everything runs a
//! second time as an ordinary user. Where no namespace may be made the tests say so loudly, and fail if `CI=true`.
#![cfg(all(target_os = "linux", feature = "app"))]

use sha2::{Digest, Sha256};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const STACK: [u8; 4] = [192, 0, 2, 2];

/// A folder that every user may write to, with copies of the programs that every user may run. Each run of these tests
/// uses the one of the run before.
fn workshop() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let whose: String =
            Sha256::digest(env!("CARGO_MANIFEST_DIR"))[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let folder =
            std::env::temp_dir().join(format!("strata-interop-{whose}-{}", rustix::process::getuid().as_raw()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("open to everybody");
        put(Path::new(env!("CARGO_BIN_EXE_strata")), &folder.join("strata"));
        put(&std::env::current_exe().expect("this program"), &folder.join("inside"));
        folder
    })
}

/// Copies a program; by renaming, since the one that was there may still run.
fn put(program: &Path, to: &Path) {
    let fresh = to.with_extension(std::process::id().to_string());
    fs::copy(program, &fresh).and_then(|_| fs::rename(&fresh, to)).expect("a copy");
}

/// Who runs a command.
#[derive(Clone, Copy, Debug)]
enum User {
    Present,
    /// `nobody`, who has no privileges at all.
    Ordinary,
}

/// Those whom this process can be, with namespaces allowed to each; empty after a loud word when nobody can.
fn users() -> &'static [User] {
    static USERS: OnceLock<Vec<User>> = OnceLock::new();
    USERS.get_or_init(|| {
        let is_root = rustix::process::getuid().is_root();
        let candidates: &[User] = if is_root { &[User::Present, User::Ordinary] } else { &[User::Present] };
        let (able, unable): (Vec<User>, Vec<User>) =
            candidates.iter().partition(|user| strata(**user, &["sandbox", "--", "true"]).status.success());
        for user in unable {
            let said = strata(user, &["sandbox", "--", "true"]);
            skip(&format!("{user:?} user: {}", String::from_utf8_lossy(&said.stderr)));
        }
        able
    })
}

/// Says that something was not tested; a failure where everything must be.
fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not tested, and CI=true asks for everything: {why}");
    eprintln!("\n*** NOT TESTED: {why}\n");
}

fn has(tool: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("a shell").status.success();
    if !found {
        skip(&format!("{tool} is not installed"));
    }
    found
}

fn strata(user: User, arguments: &[&str]) -> Output {
    let program = workshop().join("strata");
    let mut command = match user {
        User::Present => Command::new(&program),
        User::Ordinary => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
            command
        }
    };
    command.args(arguments).current_dir(workshop()).env(INSIDE, "yes").output().expect("strata runs")
}

/// What the command printed, once it has ended well.
fn good(output: Output, what: &str) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}\n{err}", output.status);
    out
}

/// Runs one of the `inside_` tests in a sandbox, for every user.
fn within(options: &[&str], test: &str) {
    users().iter().for_each(|user| within_as(*user, options, test));
}

fn within_as(user: User, options: &[&str], test: &str) {
    let inside = workshop().join("inside");
    let inside = inside.to_str().expect("UTF-8");
    let command = ["--", inside, "--ignored", "--exact", test, "--nocapture"];
    let arguments = [&["sandbox"], options, &command].concat();
    let out = good(strata(user, &arguments), &format!("{test} as {user:?} user"));
    assert!(out.contains("1 passed"), "{test} did not run: {out}");
}

#[test]
fn curl_prints_the_page() {
    if !has("curl") {
        return;
    }
    for user in users() {
        let page = good(strata(*user, &["sandbox", "--", "curl", "-sS", "http://192.0.2.2/"]), "curl");
        assert!(page.contains("192.0.2.1:") && page.ends_with("</html>\n"), "{page}");
    }
}

#[test]
fn ping_loses_nothing_in_whole_packets_or_fragments() {
    if !has("ping") {
        return;
    }
    for user in users() {
        for ping in [&["-c", "200", "-i", "0.002"][..], &["-s", "4000", "-c", "5", "-i", "0.2"]] {
            let arguments = [&["sandbox", "--", "ping", "-q"], ping, &["192.0.2.2"]].concat();
            let said = good(strata(*user, &arguments), "ping");
            assert!(said.contains(" 0% packet loss"), "{said}");
        }
    }
}

#[test]
fn exit_status_of_the_command_is_passed_on() {
    for user in users() {
        for (command, expected) in
            [(&["sh", "-c", "exit 7"][..], 7), (&["sh", "-c", "kill -TERM $$"], 143), (&["no-such-command-here"], 127)]
        {
            let ended = strata(*user, &[&["sandbox", "--"], command].concat());
            assert_eq!(ended.status.code(), Some(expected), "{command:?}");
        }
    }
}

#[test]
fn demo_tells_the_journey_and_leaves_a_capture() {
    for user in users() {
        let capture = workshop().join(format!("demo-{user:?}.pcapng"));
        // Left by an earlier run, perhaps as another user.
        let _ = fs::remove_file(&capture);
        let began = Instant::now();
        let told = good(strata(*user, &["demo", "-w", capture.to_str().expect("UTF-8")]), "demo");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        for word in ["Ethernet", "ARP", "IPv4", "TCP", "HTTP", "SYN", "FIN", "the Linux kernel", "-> TIME-WAIT"] {
            assert!(told.contains(word), "{word} is not told of:\n{told}");
        }
        assert!(fs::metadata(&capture).expect("a capture").len() > 5_000);
    }
}

#[test]
fn captures_are_clean_in_tsharks_eyes() {
    if users().is_empty() || !has("tshark") || !has("curl") {
        return;
    }
    let capture = workshop().join("clean.pcapng");
    let path = capture.to_str().expect("UTF-8");
    good(
        strata(
            User::Present,
            &["sandbox", "-w", path, "--", "curl", "-sS", "http://192.0.2.2/bytes/100000", "-o", "/dev/null"],
        ),
        "curl",
    );
    let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    // On a busy machine curl may be kept from acknowledging for so long that the tail is probed, and rightly so.
    let right = "tcp.analysis.window_update || tcp.analysis.retransmission || tcp.analysis.duplicate_ack";
    let wrong =
        format!("_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || tcp.analysis.flags && !({right})");
    let tshark = |filter: &str| {
        let output =
            Command::new("tshark").args(["-r", path]).args(checks).args(["-Y", filter]).output().expect("tshark");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(tshark(&wrong), "", "frames that Wireshark finds fault with");
    for (filter, what) in [
        ("arp", "ARP"),
        ("tcp.flags.syn==1 && tcp.flags.ack==1 && frame.comment", "a SYN-ACK with our comment"),
        ("http.request", "the request"),
        ("http.response", "the response"),
    ] {
        assert!(!tshark(filter).is_empty(), "{what} is missing");
    }
    assert_eq!(tshark("tcp.flags.fin==1").lines().count(), 2, "a FIN each way");
}

#[test]
fn wrong_use_gets_a_sentence_and_status_2() {
    for (arguments, word) in [
        (&["serve", "--no-such-option"][..], "--no-such-option"),
        (&["serve", "--root", "/no/such/folder"], "/no/such/folder"),
        (&["serve", "--congestion", "vegas"], "reno"),
        (&["serve", "--queues", "4", "--link", "veth"], "one queue"),
        (&["serve", "--link", "tun0"], "known are"),
        (&["serve", "--link", "in-process"], "--link"),
        (&["serve", "--ip", "192.0.2.300/24"], "--ip"),
        (&["serve", "--mac", "01:00:00:00:00:01"], "unicast"),
        (&["serve", "--fault", "lose 2%"], "lose"),
        (&["get", "https://192.0.2.1/"], "http://"),
        (&["get", "http://example.org/"], "address"),
        (&["sandbox"], "CMD"),
        (&["sandbox", "--link", "packet:eth0", "--", "true"], "namespace"),
    ] {
        let ended = strata(User::Present, arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?} wants {word:?}: {said}");
    }
}

#[test]
fn an_interface_that_is_taken_is_told() {
    let program = workshop().join("strata");
    let program = program.to_str().expect("UTF-8");
    for user in users() {
        // The sandbox holds the TAP, where it stands on one; a second stack inside wants the same.
        let ended = strata(*user, &["sandbox", "--", program, "serve", "--link", "tap:strata0"]);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("strata0") || said.contains("/dev/net/tun"), "{said}");
    }
}

#[test]
fn transfers_arrive_byte_for_byte() {
    within(&["--seed", "5"], "inside_sixteen_mebibytes_each_way");
}

#[test]
fn transfers_arrive_byte_for_byte_over_a_bad_link() {
    let faults = "loss 5% reorder 5% duplicate 2% corrupt 1% delay 5ms 2ms";
    within(&["--seed", "5", "--fault", faults], "inside_one_mebibyte_each_way");
}

#[test]
fn a_thousand_connections_at_once_are_each_served_right() {
    within(&["--seed", "5"], "inside_a_thousand_connections");
}

#[test]
fn a_thousand_connections_are_served_on_several_queues() {
    for user in users_of_taps() {
        within_as(user, &["--seed", "5", "--queues", "3"], "inside_a_thousand_connections");
    }
}

/// Those who may open the tun node: the sandbox of the others stands on a veth pair, and only a TAP has several queues.
fn users_of_taps() -> Vec<User> {
    let has_a_tap = |user: &User| {
        let tried = strata(*user, &["sandbox", "--queues", "2", "--", "true"]);
        let said = String::from_utf8_lossy(&tried.stderr);
        assert!(tried.status.success() || said.contains("only a TAP has several"), "{user:?}: {said}");
        tried.status.success()
    };
    let users: Vec<User> = users().iter().copied().filter(has_a_tap).collect();
    if users.is_empty() {
        skip("several queues: nobody here may open /dev/net/tun");
    }
    users
}

/// A client that is being served slowly does not keep it.
const SERVE_UNTIL: &str = r#"
    "$0" serve --link tap:mine --ip 198.51.100.2/24 --queues 2 & served=$!
    tries=0
    until curl -s -m 5 -o /dev/null http://198.51.100.2/; do
        tries=$((tries + 1)); [ $tries -lt 200 ] || exit 99; sleep 0.05
    done
    curl -s -m 30 --limit-rate 100k -o /dev/null http://198.51.100.2/bytes/50000000 & client=$!
    sleep 0.3
    kill -$1 $served; wait $served; ended=$?
    kill $client; exit $ended
"#;

#[test]
fn serve_runs_until_it_is_interrupted() {
    if !has("curl") {
        return;
    }
    let program = workshop().join("strata");
    let program = program.to_str().expect("UTF-8");
    for user in users_of_taps() {
        for signal in ["INT", "TERM"] {
            let began = Instant::now();
            let ended = strata(user, &["sandbox", "--", "sh", "-c", SERVE_UNTIL, program, signal]);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(0), "{user:?} {signal}: {said}");
            assert!(said.contains("serving http://198.51.100.2/ until interrupted"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(15), "{user:?} {signal}: {:?}", began.elapsed());
        }
    }
}

#[test]
fn small_services_answer() {
    within(&[], "inside_small_services");
}

#[test]
fn closed_ports_refuse() {
    within(&[], "inside_closed_ports");
}

/// Says to the tests below that they are where they belong.
const INSIDE: &str = "STRATA_INSIDE";

fn stack(port: u16) -> SocketAddr {
    assert!(std::env::var_os(INSIDE).is_some(), "this runs inside of a sandbox that another test makes");
    SocketAddr::from((STACK, port))
}

/// One HTTP request over the kernel's TCP; gives the header section in lower case, and the body.
fn ask(request: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(stack(80)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
    let length = body.len();
    let head =
        format!("{request} HTTP/1.1\r\nHost: 192.0.2.2\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a header section") + 4;
    let body = answer.split_off(end);
    (String::from_utf8_lossy(&answer).to_lowercase(), body)
}

fn each_way(bytes: usize) {
    use base64::Engine;
    let (head, body) = ask(&format!("GET /bytes/{bytes}"), b"");
    assert_eq!(body.len(), bytes, "{head}");
    let (_, again) = ask(&format!("HEAD /bytes/{bytes}"), b"");
    assert_eq!(again.len(), 0);
    let sha = Sha256::digest(&body);
    let expected = base64::engine::general_purpose::STANDARD.encode(sha).to_lowercase();
    assert!(head.contains(&format!("repr-digest: sha-256=:{expected}:")), "{head}");
    let (head, answer) = ask("POST /digest", &body);
    let hex: String = sha.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(String::from_utf8_lossy(&answer), hex, "{head}");
}

#[test]
#[ignore = "runs inside of a sandbox"]
fn inside_sixteen_mebibytes_each_way() {
    each_way(16 << 20);
}

#[test]
#[ignore = "runs inside of a sandbox"]
fn inside_one_mebibyte_each_way() {
    each_way(1 << 20);
}

#[test]
#[ignore = "runs inside of a sandbox"]
fn inside_a_thousand_connections() {
    // All are open before the first one asks, and the last asks first.
    let mut streams: Vec<TcpStream> =
        (0..1_000).map(|_| TcpStream::connect(stack(80)).expect("a connection")).collect();
    for (index, stream) in streams.iter_mut().enumerate().rev() {
        write!(stream, "GET /bytes/{index} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("sent");
    }
    let whole = strata::app::seeded::Seeded::new(5, 1_000).flatten().collect::<Vec<u8>>();
    for (index, stream) in streams.iter_mut().enumerate() {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(&whole[..index]), "connection {index}");
    }
}

#[test]
#[ignore = "runs inside of a sandbox"]
fn inside_small_services() {
    let talk = |port: u16, say: &[u8], most: u64| {
        let mut stream = TcpStream::connect(stack(port)).expect("a connection");
        stream.write_all(say).and_then(|()| stream.shutdown(Shutdown::Write)).expect("sent");
        let mut heard = Vec::new();
        stream.take(most).read_to_end(&mut heard).expect("heard");
        heard
    };
    assert_eq!(talk(7, b"back to me", 100), b"back to me");
    assert_eq!(talk(9, b"to nobody", 100), b"");
    assert!(talk(13, b"", 100).ends_with(b" GMT\r\n"));

    let mut chargen = TcpStream::connect(stack(19)).expect("a connection");
    let mut lines = vec![0; 74 * 200];
    chargen.read_exact(&mut lines).expect("lines without end");
    assert!(lines.starts_with(b" !\"#$") && lines[74..].starts_with(b"!\"#$%"));

    let socket = UdpSocket::bind("192.0.2.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut buffer = vec![0; 65_536];
    // The last one travels in fragments.
    for len in [0, 1, 1_000, 60_000] {
        let datagram: Vec<u8> = (0..len).map(|index| index as u8).collect();
        socket.send_to(&datagram, stack(7)).expect("sent");
        let (heard, from) = socket.recv_from(&mut buffer).expect("an echo");
        assert!(from == stack(7) && buffer[..heard] == datagram, "{len} bytes");
    }
    socket.send_to(b"", stack(19)).expect("sent");
    let (len, _) = socket.recv_from(&mut buffer).expect("characters");
    assert!(len <= 512);
}

#[test]
#[ignore = "runs inside of a sandbox"]
fn inside_closed_ports() {
    assert_eq!(TcpStream::connect(stack(81)).expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    let socket = UdpSocket::bind("192.0.2.1:0").expect("a socket");
    socket.connect(stack(81)).expect("a peer");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    socket.send(b"anybody?").expect("sent");
    // ICMP's port unreachable, as the kernel passes it on.
    assert_eq!(socket.recv(&mut [0; 10]).expect_err("nobody is there").kind(), ErrorKind::ConnectionRefused);
}
