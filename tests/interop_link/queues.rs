//! Several queues of one link.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;
use strata::device::Device;
use strata::runtime::sandbox::{self, Config, LinkRequest};
use strata::runtime::{LocalDriver, LocalQueue, asynchronous};

/// As many connections in each direction, over all queues.
const CONNECTIONS: usize = 60;
/// Longer than the kernel remembers on which queue a flow was answered.
const FORGOTTEN: Duration = Duration::from_millis(3_500);

fn two_queues() -> Vec<Box<dyn Device>> {
    let config = Config { queues: 2, ..Config::default() };
    let opened = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP with two queues");
    let devices: Vec<_> = std::iter::once(opened.device).chain(opened.more).collect();
    assert_eq!(devices.len(), 2);
    devices
}

/// Two threads, each with a queue and the tasks that serve on it: kernel clients are served by both, and hear the end when
/// the threads are told to stop.
pub fn two_queues_with_their_tasks_beside_them() {
    let queues = LocalDriver::queues(&strata::stack::Config::default(), 7, two_queues(), Vec::new());
    let (mut stops, mut threads) = (Vec::new(), Vec::new());
    for queue in queues.expect("a stack on each queue") {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        stops.push(stop);
        threads.push(std::thread::spawn(move || serve_beside(queue, stopped)));
    }
    let clients = (0..CONNECTIONS).map(|_| {
        // A thread may not have come to its listener yet.
        let served = || std::net::TcpStream::connect("192.0.2.2:7").ok();
        let patience = std::iter::repeat_with(|| std::thread::sleep(Duration::from_millis(10))).take(500);
        served().or_else(|| patience.into_iter().find_map(|()| served())).expect("served")
    });
    let clients: Vec<_> = clients.collect();
    clients.iter().for_each(|stream| there_and_back(stream, stream));
    stops.into_iter().for_each(|stop| stop.send(()).expect("the thread waits for it"));
    let shares: Vec<usize> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert!(shares[0] + shares[1] == CONNECTIONS && shares.iter().all(|share| *share > CONNECTIONS / 6), "{shares:?}");
}

/// Gives how many connections came to this queue.
fn serve_beside(queue: LocalQueue, stopped: tokio::sync::oneshot::Receiver<()>) -> usize {
    let mut driver = queue.into_driver();
    let listener = asynchronous::TcpListener::bind(driver.host(), "0.0.0.0:7".parse().expect("an address"));
    let (listener, spawner) = (listener.expect("a free port"), driver.spawner());
    let accepted = Rc::new(Cell::new(0));
    let count = accepted.clone();
    spawner.clone().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.set(count.get() + 1);
            let mut echo = stream.handle();
            spawner.spawn(async move { drop(tokio::io::copy(&mut stream, &mut echo).await) });
        }
    });
    assert!(driver.run(stopped).expect("a device that works").is_ok());
    accepted.get()
}

/// Kernel clients on connections that every queue serves, connections and datagrams of our own from every queue, and
/// all of that again after the kernel has forgotten the flows: nobody is reset, nothing is lost.
pub fn two_queues_share_the_connections() {
    let devices = two_queues();
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
