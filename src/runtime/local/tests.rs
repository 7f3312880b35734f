use super::*;
use crate::device::link::{Config, End, Link};
use crate::runtime::asynchronous::TcpListener;
use crate::runtime::{Driver, blocking};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 7);
const PATIENCE: Duration = Duration::from_secs(10);

fn link() -> (End, End) {
    Link::pollable_pair(Config::default()).expect("two ends")
}

/// What `act` gives on a thread of its own, with a driver to which nothing comes from outside.
fn alone<T: Send + 'static>(act: impl FnOnce(&mut LocalDriver) -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (_left, right) = link();
        let mut driver = LocalDriver::new(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
        // Who panicked has nothing to tell, and that is heard.
        let _ = tell.send(act(&mut driver));
    });
    told.recv_timeout(PATIENCE).expect("the driver goes on")
}

fn client(left: End) -> Driver {
    let config = stack::Config {
        mac: [2, 0, 0, 0, 0, 1],
        addresses: vec!["192.0.2.1/24".parse().expect("a prefix")],
        ..stack::Config::default()
    };
    Driver::start(config, 8, Box::new(left), None).expect("a driver")
}

/// Serves echo on port 7 beside the driver that `spawner` belongs to.
fn echo(host: &Host, spawner: &SendSpawner) {
    let (listener, connections) = (TcpListener::bind(host, SERVER).expect("a free port"), spawner.clone());
    spawner.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut echo = stream.handle();
            connections.spawn(async move { drop(tokio::io::copy(&mut stream, &mut echo).await) });
        }
    });
}

fn there_and_back(host: &Host) -> blocking::TcpStream {
    let mut stream = blocking::TcpStream::connect(host, SERVER).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(b"there and back").expect("room");
    let mut back = [0; 14];
    stream.read_exact(&mut back).expect("an echo");
    assert_eq!(&back, b"there and back");
    stream
}

#[test]
fn a_task_on_the_drivers_thread_echoes_and_hears_from_other_threads() {
    let (left, right) = link();
    let (stop, stopped) = oneshot::channel();
    let server = std::thread::spawn(move || {
        let mut driver = LocalDriver::new(stack::Config::default(), 7, Box::new(right), None)?;
        echo(driver.host(), &driver.send_spawner());
        driver.run(async move { stopped.await.is_ok() })
    });
    let client = client(left);
    there_and_back(client.host()).shutdown(Shutdown::Both).expect("an open stream");
    // The server sleeps by now; only the bell can wake it.
    std::thread::sleep(Duration::from_millis(20));
    stop.send(()).expect("somebody listens");
    assert!(server.join().expect("no panic").expect("no error"));
}

#[test]
fn a_task_that_gives_way_goes_on_though_nothing_else_happens() {
    let rounds = alone(|driver| {
        driver.run(async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            1000
        })
    });
    assert_eq!(rounds.expect("a device that works"), 1000);
}

#[test]
fn words_between_threads_are_never_lost() {
    const WORDS: u32 = 20_000;
    let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
    let heard = alone(move |driver| {
        let spawner = driver.send_spawner();
        let (answer, answered) = mpsc::channel();
        let answers = answer.clone();
        std::thread::spawn(move || {
            // Each word is answered before the next is said, so that one that is lost stops everything.
            for word in 0..WORDS {
                if word % 2 == 0 {
                    to.send(word).expect("somebody listens");
                } else {
                    let answer = answer.clone();
                    spawner.spawn(async move { answer.send(word).expect("somebody listens") });
                }
                assert_eq!(answered.recv().expect("the task runs"), word);
            }
        });
        driver.run(async move {
            let mut heard = 0;
            while let Some(word) = from.recv().await {
                answers.send(word).expect("somebody listens");
                heard += 1;
            }
            heard
        })
    });
    assert_eq!(heard.expect("a device that works"), WORDS / 2);
}

#[test]
fn a_panic_ends_its_task_alone() {
    let (left, right) = link();
    let server = Driver::start(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
    echo(server.host(), server.spawner());
    let client = client(left);
    let mut before = there_and_back(client.host());
    server.spawner().spawn(async { panic!("a handler of a test breaks") });
    before.write_all(b"still there").expect("room");
    before.read_exact(&mut [0; 11]).expect("an echo");
    there_and_back(client.host());
    server.stop().expect("nothing has ended the stack");
}

#[test]
fn when_the_main_task_panics_nobody_waits_for_the_host() {
    let (tell, told) = mpsc::channel();
    let driver = std::thread::spawn(move || {
        let (_left, right) = link();
        let mut driver = LocalDriver::new(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
        tell.send(driver.host().clone()).expect("somebody listens");
        driver.run(async { panic!("the main task of a test breaks") })
    });
    let host = told.recv().expect("a host");
    assert!(driver.join().is_err());
    assert!(host.ended().expect("a reason").to_string().contains("unexpectedly"));
}

#[test]
fn tasks_of_a_driver_have_the_tokio_that_it_was_started_within() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (_left, right) = link();
    let within = runtime.enter();
    let driver = Driver::start(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
    drop(within);
    let (tell, told) = mpsc::channel();
    driver.spawner().spawn(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let blocked = tokio::task::spawn_blocking(std::thread::current).await.expect("a thread");
        let ours = std::thread::current();
        tell.send((ours.name().map(str::to_owned), blocked.id() != ours.id())).expect("somebody listens");
    });
    let (name, elsewhere) = told.recv_timeout(PATIENCE).expect("the task goes on");
    assert_eq!(name.as_deref(), Some("strata-driver"));
    assert!(elsewhere, "what blocks is not done on the driver's thread");
}

#[test]
fn a_task_may_let_go_of_the_driver_that_it_runs_on() {
    let (_left, right) = link();
    let driver = Driver::start(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
    let (host, spawner) = (driver.host().clone(), driver.spawner().clone());
    let (tell, told) = mpsc::channel();
    spawner
        .spawn(async move { tell.send(driver.stop().map_err(|error| error.to_string())).expect("somebody listens") });
    assert_eq!(told.recv_timeout(PATIENCE).expect("no panic"), Ok(()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, host.until_ended()).await });
    assert!(ended.expect("the driver ends").to_string().contains("was stopped"));
}

#[test]
fn tasks_are_dropped_when_their_driver_ends_and_later_ones_at_once() {
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let dropped: [Arc<AtomicBool>; 3] = Default::default();
    let tell = |index: usize| Told(dropped[index].clone());
    let (_left, right) = link();
    let driver = Driver::start(stack::Config::default(), 7, Box::new(right), None).expect("a driver");
    let spawner = driver.spawner().clone();
    // One that waits for ever, and one that is started by its end and holds what it was started by.
    let (waits, again, inner) = (tell(0), tell(1), spawner.clone());
    struct SpawnsAtItsEnd(SendSpawner, Option<Told>);
    impl Drop for SpawnsAtItsEnd {
        fn drop(&mut self) {
            let (spawner, told) = (self.0.clone(), self.1.take());
            self.0.spawn(async move { drop((spawner, told)) });
        }
    }
    let last = SpawnsAtItsEnd(inner, Some(again));
    spawner.spawn(async move {
        std::future::pending::<()>().await;
        drop((waits, last));
    });
    driver.stop().expect("nothing has ended the stack");
    let late = tell(2);
    spawner.spawn(async move { drop(late) });
    assert!(dropped.iter().all(|dropped| dropped.load(Ordering::Acquire)), "{dropped:?}");
}
