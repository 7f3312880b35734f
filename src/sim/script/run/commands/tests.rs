use super::*;

fn setting(name: &str, value: &str) -> Order {
    Order::Setting { name: name.into(), value: value.into() }
}

#[test]
fn commands_become_orders() {
    let count = |state, number: &str| Order::Count { state: Some(state), number: number.into() };
    let table = [
        ("sysctl -q net.ipv4.tcp_sack=0", vec![setting("net.ipv4.tcp_sack", "0")]),
        (
            "sysctl -w net.ipv4.tcp_rmem=\"4096 10000 20000\" a.b=1 > /dev/null 2>&1",
            vec![setting("net.ipv4.tcp_rmem", "4096 10000 20000"), setting("a.b", "1")],
        ),
        (
            "./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n /proc/sys/x=1",
            vec![setting("/proc/sys/net/ipv4/tcp_timestamps", "0"), setting("/proc/sys/x", "1")],
        ),
        ("sysctl -q a.b=\"1 $((32*1024+1))\" c=$((3 << 2))", vec![setting("a.b", "1 32769"), setting("c", "12")]),
        ("nstat -n", vec![Order::Note("nstat -n".into())]),
        ("echo 0 > /proc/sys/net/ipv4/tcp_sack", vec![setting("/proc/sys/net/ipv4/tcp_sack", "0")]),
        ("sockstat -4 -P tcp -s | grep packetdril | grep -c TIME_WAIT | grep 1", vec![count(TcpState::TimeWait, "1")]),
        ("sockstat -4 -P tcp -p 8080 -s | grep -c SYN_RCVD | grep 0", vec![count(TcpState::SynReceived, "0")]),
        (
            "ip route change 192.0.2.0/24 via 192.168.0.2 dev tun0 mtu lock 1400 rto_min 5ms initcwnd 3",
            vec![
                Order::Route(RouteMetric::Mtu(1400)),
                Order::Route(RouteMetric::MinRto(Duration::from_millis(5))),
                Order::Route(RouteMetric::InitialWindow(3)),
            ],
        ),
        ("ip link set dev tun0 mtu 9000", vec![Order::Mtu(9000)]),
        ("ip tcp_metrics flush all > /dev/null 2>&1", vec![Order::Note("ip tcp_metrics".into())]),
        ("true # sysctl a=1\n# nothing", vec![Order::Note("true".into())]),
        ("tc qdisc add dev tun0 root pfifo", vec![Order::Note("tc qdisc add dev tun0 root pfifo".into())]),
    ];
    for (command, expected) in table {
        assert_eq!(orders(command), Ok(expected), "{command}");
    }
}

#[test]
fn what_is_not_known_is_named() {
    for command in [
        "cat /proc/net/tcp",
        "sysctl a=$((1+))",
        "sysctl a=$((1",
        "tc qdisc replace dev tun0 root pfifo limit 0",
        "nstat | grep TcpExtBeyondWindow",
        "grep 0A /proc/net/tcp",
        "sockstat -4 | grep 1",
        "sockstat | awk x | grep -c CLOSED | grep 1",
        "ip rule add x",
        "ip route change default features ecn",
        "ip route change default rto_min",
        "./run.sh",
    ] {
        let Err(Stop::Unsupported(reason)) = orders(command) else { panic!("{command}") };
        assert!(reason.contains(command), "{reason}");
    }
}
