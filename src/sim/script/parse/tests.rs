use super::*;
use proptest::prelude::*;

/// Something of everything that the grammar knows.
const EVERYTHING: &str = r#"
// A script that no stack could run.
--tolerance_usecs=10000 --local_ip=192.0.2.7 --ip_version=ipv6 --define=PORT=8080 --define=NAME="x" --define=DO=`true`
--remote_ip=fd00::1 --flag
`sysctl -q net.ipv4.tcp_sack=1`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 bind(3, {sa_family = AF_INET, sin_port = htons(PORT), sin_addr = inet_addr("192.0.2.7")}, ...) = 0
+0...0.1 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
0.1...0.25 accept(3, ..., ...) = 4
+.5 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0x802 (flags O_RDWR|O_NONBLOCK)
+0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
* > SEWA 4294967295:4294967295(0) win 65535 urg 3
1~2 > 5. 1:11(10) ack 1 <nop,nop,sack 1:2 3:4>
+1~+2 > - 0:0(0) <FO 0011aabb,nop,nop>
+0 > FPU. -1:9(10) ack 1 <ECN e1b 5 ceb 6 e0b 7,nop>
+0 > . 1:1(0) <FOEXP,md5 00112233445566778899aabbccddeeff,eol,eol>
+0 < [ce] 80 > 1234 . 1:1(0) ack 1 win 5
+0 > (ect01) . 1:1(0) ack 1
+0 > (tos 0x10, ttl 3, flowlabel 0x1f) encap psp spi 7 . 1:1(0) ack 1
+0 < ipv4 192.0.2.1 > 192.0.2.2: ipv6 (ttl 9) fd00::1 > fd00::2: gre flags -, sum 0x1: mpls (label 1, tc 2, [S], ttl 3) (label 1, tc 2, ttl 3): udp (5)
+0 < udp 53 > 7 (100)
+0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]
+0 < [0:0(0)] icmp time_exceeded ttl_exceeded_in_transit
+0 > icmp echo_request id 7 [raw (8)]
+0 > icmp type_77 code_3 [udp (9)]
+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {"a\x00" "b"..., 20}], msg_flags=0, msg_control=[{cmsg_level=SOL_IP, cmsg_type=7, cmsg_data=5}]}, MSG_OOB) = 30
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=0}], 1, 0) = ?
+0 write(4, NAME, 1) = 1
+0 `true`
+0 DO
+0 %{ assert tcpi_cwnd == 10, tcpi_cwnd }%
`rm -f x`
"#;

#[test]
fn the_whole_grammar_parses_and_prints_to_the_same_tree() {
    let script = parse(EVERYTHING).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(script.events.len(), 28);
    let printed = script.to_string();
    let again = parse(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(again, script, "{printed}");
    assert!(printed.contains("htons(8080)") && printed.contains("write(4, \"x\", 1)") && printed.contains("+0 `true`"));
}

#[test]
fn errors_say_where_what_and_what_instead() {
    let table = [
        ("", "1:1: expected a time in seconds, at least 0, found the end of the script"),
        (
            "0 < S 0:0(0)",
            "1:13: expected `win` and the window, which a packet to the stack needs, found the end of the script",
        ),
        ("0 > S 0:1(0)", "1:9: expected 0, which is 0 and 0 bytes, found 1"),
        ("0 > X 0:0(0)", "1:5: expected flags: `-`, or of F S R P . E W A U each at most once, found `X`"),
        (
            "0 > . 0:0(0) <nop>",
            "1:14: expected options of at most 40 bytes and a multiple of 4, not 1 (add nop or eol), found `<`",
        ),
        (
            "0 > . 0:0(0) <what>",
            "1:15: expected nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5 or ECN, found `what`",
        ),
        ("0 < . 0:0(0) win 5 <...>", "1:21: expected options, since a packet to the stack must be known, found `...`"),
        ("0 < . 0:0(0) win 65536", "1:18: expected a window (below 65536), found 65536"),
        ("0 close(3 = 0", "1:11: expected `,` or `)`, found `=`"),
        ("0 close(3)\n", "2:1: expected `=`, found the end of the script"),
        (
            "* close(3) = 0",
            "1:1: expected one point in time, since only packets of the stack may come at several, found a range or `*`",
        ),
        ("1~.5 > . 0:0(0)", "1:3: expected a time that is not before the beginning of the range, found `.5`"),
        (
            "0 > . 99999999999999999999:1(1)",
            "1:7: expected a sequence number (below 4294967296), found a number of more than 64 bits",
        ),
        ("0 > icmp what", "1:10: expected the name of an ICMP type, found `what`"),
    ];
    for (source, expected) in table {
        assert_eq!(parse(source).expect_err(source).to_string(), expected, "{source}");
    }
}

#[test]
fn nesting_is_bounded() {
    for open in ["[", "{", "f(", "a="] {
        let source = format!("0 f({}", open.repeat(100_000));
        assert!(parse(&source).expect_err("too deep").to_string().contains("nested less than"), "{open}");
    }
    let source = format!("0 f(1{}) = 0", "|1".repeat(100_000));
    assert!(parse(&source).is_err());
}

/// Pieces out of which scripts, and what is nearly one, can be put together.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<String> =
        EVERYTHING.split_inclusive([' ', '(', ')', ',', '=', ':', '\n']).map(str::to_owned).collect();
    prop_oneof![8 => proptest::sample::select(words), 1 => any::<char>().prop_map(String::from), 1 => "[-+~*<>.0-9a-z\"`%{}\\[\\]()|=]{0,6}"]
}

proptest! {
    #[test]
    fn random_tokens_parse_or_fail(pieces in proptest::collection::vec(piece(), 0..60)) {
        if let Ok(script) = parse(&pieces.concat()) {
            prop_assert_eq!(parse(&script.to_string()), Ok(script));
        }
    }

    #[test]
    fn a_mutated_script_parses_or_fails(cuts in proptest::collection::vec((any::<proptest::sample::Index>(), piece()), 1..4)) {
        let mut source = EVERYTHING.to_owned();
        for (place, piece) in cuts {
            let mut place = place.index(source.len());
            while !source.is_char_boundary(place) {
                place -= 1;
            }
            let mut end = (place + piece.len()).min(source.len());
            while !source.is_char_boundary(end) {
                end -= 1;
            }
            source.replace_range(place..end.max(place), &piece);
        }
        if let Ok(script) = parse(&source) {
            let printed = script.to_string();
            prop_assert_eq!(parse(&printed), Ok(script), "{}", printed);
        }
    }
}
