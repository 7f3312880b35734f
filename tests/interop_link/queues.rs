//! Several queues of one link.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::time::Duration;
use strata::runtime::sandbox::{self, Config, LinkRequest};

/// As many connections in each direction, over all queues.
const CONNECTIONS: usize = 60;
/// Longer than the kernel remembers on which queue a flow was answered.
const FORGOTTEN: Duration = Duration::from_millis(3_500);

/// Kernel clients on connections that every queue serves, connections and datagrams of our own from every queue, and
/// all of that again after the kernel has forgotten the flows: nobody is reset, nothing is lost.
pub fn two_queues_share_the_connections() {
    let config = Config { queues: 2, ..Config::default() };
    let opened = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP with two queues");
    let devices: Vec<_> = std::iter::once(opened.device).chain(opened.more).collect();
    assert_eq!(devices.len(), 2);
    let drivers = strata::runtime::Driver::start_queues(&strata::stack::Config::default(), 7, devices, Vec::new());
    let drivers = drivers.expect("a stack on each queue");
    let accepted = [0; 2].map(|_| std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    for (driver, accepted) in drivers.iter().zip(&accepted) {
        serve_echo(driver.host(), accepted.clone());
    }
    let kernel = std::net::TcpListener::bind("192.0.2.1:7").expect("the kernel has that address");
    std::thread::spawn(move || {
        for stream in kernel.incoming() {
            std::thread::spawn(move || {
                echo(stream.as_ref().expect("a connection"), stream.as_ref().expect("a connection"))
            });
        }
    });
    let theirs = (0..CONNECTIONS).map(|_| std::net::TcpStream::connect("192.0.2.2:7").expect("served"));
    let theirs: Vec<_> = theirs.collect();
    let to = "192.0.2.1:7".parse().expect("an address");
    let ours = (0..CONNECTIONS).map(|index| {
        strata::runtime::blocking::TcpStream::connect(drivers[index % 2].host(), to).expect("the kernel serves")
    });
    let ours: Vec<_> = ours.collect();
    for round in 0..2 {
        for stream in &theirs {
            there_and_back(stream, stream);
        }
        for stream in &ours {
            there_and_back(stream, stream);
        }
        if round == 0 {
            std::thread::sleep(FORGOTTEN);
        }
    }
    let shares = accepted.map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
    assert!(shares[0] + shares[1] == CONNECTIONS && shares.iter().all(|share| *share > CONNECTIONS / 6), "{shares:?}");
    let unfinished: usize = drivers.iter().map(|driver| driver.host().unfinished_connections()).sum();
    assert_eq!(unfinished, 2 * CONNECTIONS, "none was reset");
    late_answers_come_back(&drivers);
}

fn serve_echo(host: &strata::runtime::Host, accepted: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = strata::runtime::blocking::TcpListener::bind(host, "0.0.0.0:7".parse().expect("an address"));
    let listener = listener.expect("a free port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::thread::spawn(move || echo(&stream, &stream));
        }
    });
}

fn echo(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        to.write_all(&buffer[..len]).expect("the client reads");
    }
}

fn there_and_back(mut from: impl Read, mut to: impl Write) {
    let (data, mut back) = ([0x5a; 3000], [0; 3000]);
    to.write_all(&data).expect("the server reads");
    from.read_exact(&mut back).expect("the server answers");
    assert_eq!(back, data);
}

/// Of connections and datagrams that we began, the kernel speaks again when it has forgotten on which queue we did: half
/// of it comes to the wrong one.
fn late_answers_come_back(drivers: &[strata::runtime::Driver]) {
    let any = "0.0.0.0:0".parse().expect("an address");
    let server = std::net::TcpListener::bind("192.0.2.1:9").expect("the kernel has that address");
    let kernel = UdpSocket::bind("192.0.2.1:9").expect("the kernel has that address");
    let to = "192.0.2.1:9".parse().expect("an address");
    let (mut streams, mut sockets, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..16 {
        let host = drivers[index % drivers.len()].host();
        streams.push(strata::runtime::blocking::TcpStream::connect(host, to).expect("the kernel serves"));
        answers.push(server.accept().expect("our connection").0);
        let socket = strata::runtime::blocking::UdpSocket::bind(host, any).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        socket.send_to(b"there", to).expect("room");
        sockets.push((socket, kernel.recv_from(&mut [0; 10]).expect("it came").1));
    }
    std::thread::sleep(FORGOTTEN);
    let mut buffer = [0; 4];
    for (answer, stream) in answers.iter_mut().zip(&mut streams) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        answer.write_all(b"late").expect("a connection that was not reset");
        stream.read_exact(&mut buffer).expect("it came");
    }
    for (socket, from) in &sockets {
        kernel.send_to(b"back", from).expect("a route");
        assert_eq!(socket.recv(&mut buffer).expect("it came"), 4);
    }
}
