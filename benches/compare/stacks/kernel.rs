//! The kernel's own TCP: servers in another namespace, at the other end of a veth pair; nginx for HTTP.
//!
//! Idle connections are held by processes of their own, for none may have more than so many files open.

use super::Served;
use crate::memory::Memory;
use crate::support::client::{BODY, port, written};
use crate::support::machine::{Worker, run};
use crate::support::{CLIENT, INTERFACE, SERVER};
use crate::workload::Workload;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use strata::runtime::sandbox;

/// The first word of the command line of the servers' process; what follows is the name of the workload.
pub const ROLE: &str = "serve-kernel";
/// The same of a process that holds idle connections, which come by the listener that is its standard input.
pub const HOLDER: &str = "hold-for-kernel";
/// How many one process holds.
const HELD: usize = 16_000;
/// The other end of the pair.
const PEER: &str = "peer0";

/// What is stopped when the round is over.
struct Servers(Child);

impl Drop for Servers {
    fn drop(&mut self) {
        // It has a process group of its own, nginx being in it.
        let group = rustix::process::Pid::from_child(&self.0);
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        let _gone = self.0.wait();
        let _gone = std::fs::remove_dir_all(place_of_nginx(self.0.id()));
    }
}

pub fn serve<T>(workload: Workload, client: impl FnOnce(&Served) -> T) -> T {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.args([ROLE, &workload.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut servers = Servers(command.spawn().expect("a child process"));
    let mut told = BufReader::new(servers.0.stdout.take().expect("a pipe")).lines();
    let mut line = || told.next().expect("a line of the servers").expect("text");
    assert_eq!(line(), "namespace");
    ip(&format!("link add {INTERFACE} type veth peer name {PEER} netns {}", servers.0.id()));
    ip("link set lo up");
    ip(&format!("link set {INTERFACE} address 02:00:00:00:00:01"));
    ip(&format!("address add {CLIENT}/24 dev {INTERFACE}"));
    ip(&format!("link set {INTERFACE} up"));
    if workload.plain {
        without_offloads(INTERFACE);
    }
    servers.0.stdin.as_mut().expect("a pipe").write_all(b"linked\n").expect("it listens");
    let workers = line().split(' ').map(|number| number.parse().expect("the number of a process")).collect();
    client(&Served { worker: Worker::Processes(workers), before: Memory::kernel(), memory: Memory::kernel })
}

/// The other process: a namespace, and the servers in it.
pub fn serve_here(workload: &str) {
    let workload = Workload::named(workload).expect("a known workload");
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    println!("namespace");
    std::io::stdin().read_line(&mut String::new()).expect("a word that the link is there");
    ip("link set lo up");
    ip(&format!("link set {PEER} address 02:00:00:00:00:02"));
    ip(&format!("address add {SERVER}/24 dev {PEER}"));
    ip(&format!("link set {PEER} up"));
    // Whatever answers, nginx too, does so with CUBIC from the start: the default may be BBR, whose pacing stays.
    ip(&format!("route replace 192.0.2.0/24 dev {PEER} src {SERVER} congctl cubic"));
    ip(&format!("route add default via {CLIENT} congctl cubic"));
    if workload.plain {
        without_offloads(PEER);
    }
    let mut nginx = nginx();
    listen(port::DISCARD, |mut stream| {
        let mut into = vec![0; 256 * 1024];
        while stream.read(&mut into).is_ok_and(|len| len > 0) {}
    });
    listen(port::SOURCE, |mut stream| {
        let data = written(256 * 1024);
        while stream.write_all(&data).is_ok() {}
    });
    let busy = workload.busy_poll;
    listen(port::ECHO, move |stream| echo(stream, busy));
    std::thread::spawn(echo_datagrams);
    let _holders = holders(workload.idle);
    println!("{} {}", std::process::id(), nginx.id());
    let _stopped = nginx.wait();
}

fn ip(command: &str) {
    run(Command::new("ip").args(command.split(' ')));
}

/// What comes and goes has the size that a wire would carry, and a checksum.
fn without_offloads(interface: &str) {
    let words = ["-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"];
    run(Command::new("ethtool").args(words).stdout(Stdio::null()));
}

fn echo(mut stream: TcpStream, busy: bool) {
    stream.set_nodelay(true).expect("an option");
    stream.set_nonblocking(busy).expect("an option");
    let mut into = [0; 1024];
    loop {
        match stream.read(&mut into) {
            Ok(len) if len > 0 => stream.write_all(&into[..len]).expect("room for what came"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Ok(_) | Err(_) => return,
        }
    }
}

fn echo_datagrams() {
    let socket = UdpSocket::bind((SERVER, port::ECHO)).expect("a free port");
    let mut into = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut into) {
        let _lost = socket.send_to(&into[..len], from);
    }
}

fn listen(port: u16, serve: impl Fn(TcpStream) + Send + Copy + 'static) {
    let listener = TcpListener::bind((SERVER, port)).expect("a free port");
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// Processes that together accept so many connections, and hold them.
fn holders(idle: usize) -> Vec<Child> {
    if idle == 0 {
        return Vec::new();
    }
    let listener = TcpListener::bind((SERVER, port::IDLE)).expect("a free port");
    rustix::net::listen(&listener, 4096).expect("a longer queue");
    let program = std::env::current_exe().expect("a running program has a path");
    let holder = |_| {
        let listener: OwnedFd = listener.as_fd().try_clone_to_owned().expect("a descriptor");
        Command::new(&program).arg(HOLDER).stdin(Stdio::from(listener)).spawn().expect("a child process")
    };
    (0..=idle / HELD).map(holder).collect()
}

/// A process that accepts connections until it has its share, and holds them until it is stopped.
pub fn hold_here() {
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned().expect("a listener"));
    let _held: Vec<TcpStream> = listener.incoming().take(HELD).map(|stream| stream.expect("a connection")).collect();
    loop {
        std::thread::park();
    }
}

/// Where the nginx that the servers' process starts keeps what it writes.
fn place_of_nginx(servers: u32) -> PathBuf {
    std::env::temp_dir().join(format!("strata-bench-{servers}"))
}

/// One process that does the work, until it is stopped with the group that it is in.
fn nginx() -> Child {
    let directory = place_of_nginx(std::process::id());
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
