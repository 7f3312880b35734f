//! Where a setting of a grid goes in the file.

use super::file::{FLOW_KEYS, File, HOST_KEYS, WIRE_KEYS};
use super::sweep::Point;
use crate::sim::experiment::Problem;
use toml::{Table, Value};

/// The link that a setting without a name means, where there are several.
const BOTTLENECK: &str = "bottleneck";

impl File {
    /// The same with the settings of a point in their places.
    ///
    /// A key of a link (`loss`, `rtt`, `queue` ..) goes to the only link or the one called `bottleneck`, one of a flow
    /// (`congestion`, `bytes` ..) to every flow, one of a host (`sack`, `receive_buffer` ..) to every host; `NAME.key`
    /// to the link, flow or host of that name, `NAME.back.key` to one direction. Numbers without a unit are
    /// milliseconds for links and hosts, seconds for flows, Mbit/s and percent.
    pub fn at(&self, point: &Point) -> Result<File, Problem> {
        let mut file = self.clone();
        for (name, text) in &point.settings {
            file.set(name, text).map_err(|what| Problem { path: format!("{name}={text}"), what })?;
        }
        Ok(file)
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        if let Some((owner, key)) = name.rsplit_once('.') {
            return self.set_of(owner, key, text);
        }
        if matches!(name, "seed" | "time_limit") {
            self.table.insert(name.to_owned(), value(name, text, "s"));
        } else if FLOW_KEYS.contains(&name) {
            list(&mut self.table, "flows").for_each(|flow| set_flow(flow, name, text));
        } else if is_link_key(name) {
            set_link(self.bottleneck(name)?, name, text);
        } else if HOST_KEYS.contains(&name) {
            self.set_every_host(name, text);
        } else {
            let mut known = vec!["seed", "time_limit", "mtu"];
            known.extend(WIRE_KEYS.iter().chain(FLOW_KEYS).chain(HOST_KEYS));
            known.dedup();
            return Err(format!(
                "there is no setting {name:?}: there are {}; or NAME.key for one of several",
                known.join(", ")
            ));
        }
        Ok(())
    }

    /// A setting of one link, one of its directions, one flow or one host.
    fn set_of(&mut self, owner: &str, key: &str, text: &str) -> Result<(), String> {
        let (node, direction) = match owner.rsplit_once('.') {
            Some((node, way @ ("there" | "back"))) => (node, Some(way)),
            Some(_) | None => (owner, None),
        };
        // A link and a flow may both be called after their ends.
        let of_flow = FLOW_KEYS.contains(&key) && direction.is_none();
        if !of_flow && let Some(link) = list(&mut self.table, "links").find(|link| name_of(link) == node) {
            match direction {
                None => set_link(link, key, text),
                Some(way) => {
                    let value = value(key, text, "ms");
                    if let Value::Table(table) = link.entry(way).or_insert(Value::Table(Table::new())) {
                        table.insert(key.to_owned(), value);
                    }
                }
            }
            return Ok(());
        }
        if let Some(flow) = list(&mut self.table, "flows").find(|flow| name_of(flow) == owner) {
            set_flow(flow, key, text);
            return Ok(());
        }
        if let Some(Value::Table(hosts)) = self.table.get_mut("hosts")
            && let Some(Value::Table(host)) = hosts.get_mut(owner)
        {
            host.insert(key.to_owned(), value(key, text, "ms"));
            return Ok(());
        }
        Err(format!(
            "there is no link or flow called {owner:?}, and no host with settings of its own: there are {}",
            self.names()
        ))
    }

    /// The link that is meant when none is named.
    fn bottleneck(&mut self, key: &str) -> Result<&mut Table, String> {
        let names = self.names();
        let links: Vec<&mut Table> = list(&mut self.table, "links").collect();
        let only = links.len() == 1;
        let found = links.into_iter().find(|link| only || name_of(link) == BOTTLENECK);
        found.ok_or_else(|| {
            format!("which link? Call one of them {BOTTLENECK:?}, or write NAME.{key}: there are {names}")
        })
    }

    fn set_every_host(&mut self, key: &str, text: &str) {
        if let Some(Value::Table(hosts)) = self.table.get_mut("hosts") {
            for (_, host) in hosts.iter_mut() {
                if let Value::Table(host) = host {
                    host.remove(key);
                }
            }
        }
        if let Value::Table(defaults) = self.table.entry("defaults").or_insert(Value::Table(Table::new())) {
            defaults.insert(key.to_owned(), value(key, text, "ms"));
        }
    }

    /// Of links and flows, for messages.
    fn names(&self) -> String {
        let of = |key: &str| {
            let tables = self.table.get(key).and_then(Value::as_array).into_iter().flatten();
            tables.filter_map(Value::as_table).map(name_of).collect::<Vec<_>>()
        };
        [of("links"), of("flows")].concat().join(", ")
    }
}

fn is_link_key(key: &str) -> bool {
    WIRE_KEYS.contains(&key) || key == "mtu"
}

fn set_link(link: &mut Table, key: &str, text: &str) {
    // The delay is said in one of two ways, and the directions may have said it for themselves.
    let forgotten: &[&str] = if matches!(key, "rtt" | "delay") { &["rtt", "delay"] } else { &[key] };
    for key in forgotten {
        link.remove(*key);
        for way in ["there", "back"] {
            if let Some(Value::Table(table)) = link.get_mut(way) {
                table.remove(*key);
            }
        }
    }
    link.insert(key.to_owned(), value(key, text, "ms"));
}

fn set_flow(flow: &mut Table, key: &str, text: &str) {
    if matches!(key, "bytes" | "duration") {
        flow.remove("bytes");
        flow.remove("duration");
    }
    flow.insert(key.to_owned(), value(key, text, "s"));
}

/// The tables of a list; what is none is left to the reader of the file.
fn list<'a>(table: &'a mut Table, key: &str) -> impl Iterator<Item = &'a mut Table> {
    table.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_table_mut)
}

/// Its own, or that of its ends.
fn name_of(table: &Table) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let ends = || match table.get("between").and_then(Value::as_array).map(Vec::as_slice) {
        Some([first, second]) => Some([text(Some(first))?, text(Some(second))?].join("-")),
        Some(_) | None => Some([text(table.get("from"))?, text(table.get("to"))?].join("-")),
    };
    text(table.get("name")).or_else(ends).unwrap_or_default()
}

/// What is written as a number, true or false is that; a number lacks its unit where a unit belongs.
fn value(key: &str, text: &str, time_unit: &str) -> Value {
    let number = text.parse::<f64>().is_ok_and(f64::is_finite);
    let unit = match key {
        "rtt" | "delay" | "start" | "duration" | "time_limit" | "delayed_ack" | "min_rto" => time_unit,
        "rate" => "mbit",
        _ => "",
    };
    if number && !unit.is_empty() {
        return Value::from(format!("{text}{unit}"));
    }
    let whole = || text.parse::<i64>().map(Value::from).ok();
    let fraction = || text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from);
    let claim = || text.parse::<bool>().map(Value::from).ok();
    whole().or_else(fraction).or_else(claim).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        switches = ["left"]
        [hosts.a]
        sack = true
        [hosts.b]
        [[links]]
        between = ["a", "left"]
        [[links]]
        name = "bottleneck"
        between = ["left", "b"]
        rate = "10mbit"
        delay = "5ms"
        queue = 10
        back = { delay = "1ms", loss = 3 }
        [[flows]]
        from = "a"
        to = "b"
        bytes = 1
        [[flows]]
        name = "second"
        from = "b"
        to = "a"
        bytes = 1"#;

    fn at(point: &str) -> Result<crate::sim::experiment::Experiment, Problem> {
        let settings = point.split(' ').filter_map(|word| word.split_once('='));
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        File::parse(FILE).expect("it is TOML").at(&Point { settings })?.experiment()
    }

    #[test]
    fn settings_find_their_places() {
        let experiment =
            at("loss=0.1 rtt=20 rate=5 congestion=reno duration=2 seed=9 second.start=1 sack=false").expect("well");
        let link = &experiment.links[1];
        assert_eq!(
            (link.there.rate, link.there.faults),
            (Some(5_000_000), "loss 0.1% delay 10ms".parse().expect("netem"))
        );
        assert_eq!(link.there, link.back, "what its directions said for themselves is forgotten");
        assert_eq!(experiment.links[0].there.rate, None);
        let [first, second] = experiment.flows.as_slice() else { panic!("two flows") };
        assert!([first, second].iter().all(|flow| flow.congestion.map(|chosen| chosen.name()) == Some("reno")));
        assert_eq!((first.start.as_secs(), second.start.as_secs(), experiment.seed), (0, 1, 9));
        assert!(experiment.hosts.iter().all(|host| !host.tcp.sack));
        let experiment = at("a-left.delay=7 bottleneck.back.loss=1 a.sack=false").expect("well");
        assert_eq!(experiment.links[0].there.faults.delay.as_millis(), 7);
        assert_eq!(
            (experiment.links[1].back.faults.loss.percent, experiment.links[1].there.faults.loss.percent),
            (1.0, 0.0)
        );
        assert_eq!(experiment.hosts.iter().map(|host| host.tcp.sack).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_link_and_a_flow_of_one_name_are_told_apart_by_the_key() {
        let text = FILE.replace("name = \"bottleneck\"", "name = \"a-b\"").replace("loss = 3", "");
        let settings = [("a-b.loss", "1"), ("a-b.congestion", "reno")].map(|(name, value)| (name.into(), value.into()));
        let file = File::parse(&text).expect("it is TOML").at(&Point { settings: settings.into() }).expect("well");
        let experiment = file.experiment().expect("well");
        assert_eq!(experiment.links[1].there.faults.loss.percent, 1.0);
        assert_eq!(experiment.flows[0].congestion.map(|chosen| chosen.name()), Some("reno"));
    }

    #[test]
    fn settings_without_a_place_are_told() {
        let error = at("speed=1").expect_err("no such setting").to_string();
        assert!(
            error.starts_with(r#"speed=1: there is no setting "speed": there are seed, time_limit, mtu, rate"#),
            "{error}"
        );
        assert_eq!(
            at("middle.loss=1").expect_err("no such link").to_string(),
            r#"middle.loss=1: there is no link or flow called "middle", and no host with settings of its own: there are a-left, bottleneck, a-b, second"#,
        );
        assert_eq!(
            at("loss=200").expect_err("too much").to_string(),
            r#"links[1].loss: "200": expected a share from 0% to 100%, like 2%"#,
        );
        let mut file = File::parse(FILE).expect("it is TOML");
        list(&mut file.table, "links").for_each(|link| drop(link.remove("name")));
        let point = Point { settings: vec![("loss".into(), "1".into())] };
        assert_eq!(
            file.at(&point).expect_err("which").to_string(),
            r#"loss=1: which link? Call one of them "bottleneck", or write NAME.loss: there are a-left, left-b, a-b, second"#,
        );
    }
}
