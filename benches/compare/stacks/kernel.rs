//! The kernel's own TCP: servers in another namespace, at the other end of a veth pair; nginx for HTTP.

use crate::support::client::{BODY, port};
use crate::support::machine::{Worker, run};
use crate::support::{INTERFACE, SERVER};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use strata::runtime::sandbox;

/// The first word of the command line of the servers' process.
pub const ROLE: &str = "serve-kernel";

/// What is stopped when the round is over.
struct Servers(Child);

impl Drop for Servers {
    fn drop(&mut self) {
        // It has a process group of its own, nginx being in it.
        let group = rustix::process::Pid::from_child(&self.0);
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        let _gone = self.0.wait();
    }
}

pub fn serve<T>(client: impl FnOnce(&Worker) -> T) -> T {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut servers = Servers(command.spawn().expect("a child process"));
    let mut told = BufReader::new(servers.0.stdout.take().expect("a pipe")).lines();
    let mut line = || told.next().expect("a line of the servers").expect("text");
    assert_eq!(line(), "namespace");
    let number = servers.0.id();
    let veth = format!("link add {INTERFACE} type veth peer name peer0 netns {number}");
    let address = format!("address add 192.0.2.1/24 dev {INTERFACE}");
    let up = format!("link set {INTERFACE} up");
    for command in [&veth[..], "link set lo up", &address, &up] {
        run(Command::new("ip").args(command.split(' ')));
    }
    servers.0.stdin.as_mut().expect("a pipe").write_all(b"linked\n").expect("it listens");
    let workers = line().split(' ').map(|number| number.parse().expect("the number of a process")).collect();
    client(&Worker::Processes(workers))
}

/// The other process: a namespace, and the servers in it.
pub fn serve_here() {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    println!("namespace");
    std::io::stdin().read_line(&mut String::new()).expect("a word that the link is there");
    let address = format!("address add {SERVER}/24 dev peer0");
    for command in ["link set lo up", &address, "link set peer0 up"] {
        run(Command::new("ip").args(command.split(' ')));
    }
    let mut nginx = nginx();
    listen(port::DISCARD, |mut stream| {
        let mut into = vec![0; 256 * 1024];
        while stream.read(&mut into).is_ok_and(|len| len > 0) {}
    });
    listen(port::SOURCE, |mut stream| {
        crate::support::client::use_cubic(&stream);
        let zeroes = vec![0; 256 * 1024];
        while stream.write_all(&zeroes).is_ok() {}
    });
    listen(port::ECHO, |mut stream| {
        stream.set_nodelay(true).expect("an option");
        let mut into = [0; 1024];
        while let Ok(len) = stream.read(&mut into)
            && len > 0
            && stream.write_all(&into[..len]).is_ok()
        {}
    });
    std::thread::spawn(|| {
        let socket = UdpSocket::bind((SERVER, port::ECHO)).expect("a free port");
        let mut into = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut into) {
            let _lost = socket.send_to(&into[..len], from);
        }
    });
    println!("{} {}", std::process::id(), nginx.id());
    let _stopped = nginx.wait();
}

fn listen(port: u16, serve: impl Fn(TcpStream) + Send + Copy + 'static) {
    let listener = TcpListener::bind((SERVER, port)).expect("a free port");
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// One process that does the work, until it is stopped with the group that it is in.
fn nginx() -> Child {
    let directory = std::env::temp_dir().join(format!("strata-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a place for nginx");
    let place = directory.display();
    let body = "x".repeat(BODY);
    let configuration = format!(
        "daemon off; master_process off; pid {place}/pid; error_log {place}/error;
         events {{ worker_connections 4096; }}
         http {{ access_log off; client_body_temp_path {place}/1; proxy_temp_path {place}/2;
           fastcgi_temp_path {place}/3; uwsgi_temp_path {place}/4; scgi_temp_path {place}/5;
           keepalive_requests 1000000000; default_type text/plain;
           server {{ listen {SERVER}:{} backlog=4096; location / {{ return 200 \"{body}\"; }} }}
           server {{ listen {SERVER}:{} backlog=4096; keepalive_timeout 0; location / {{ return 200 \"{body}\"; }} }} }}",
        port::HTTP,
        port::HTTP_ONCE
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration).expect("a file");
    let mut child = Command::new("nginx").arg("-c").arg(&file).stderr(Stdio::null()).spawn().expect("nginx");
    for _ in 0..500 {
        if TcpStream::connect((SERVER, port::HTTP)).is_ok() {
            return child;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _gone = child.kill().and_then(|()| child.wait());
    panic!("nginx does not answer; see {place}/error");
}
