use super::spec::*;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn netems_words_are_understood_and_said_back() {
    for (text, said) in [
        ("", "none"),
        ("none", "none"),
        ("loss 2%", "loss 2%"),
        ("loss random 0.3% 25%", "loss 0.3% 25%"),
        ("drop 7", "loss 7%"),
        ("loss 1% 25% ecn delay 1ms", "loss 1% 25% ecn delay 1ms"),
        ("loss 0% ecn", "none"),
        ("delay 20ms", "delay 20ms"),
        ("delay 1.5ms 500us 25%", "delay 1500us 500us 25%"),
        ("delay 2s reorder 25% 50% gap 5", "delay 2s reorder 25% 50% gap 5"),
        ("rate 10mbit", "rate 10mbit"),
        ("rate 1mbps limit 100", "rate 8mbit limit 100"),
        ("rate 1500bit", "rate 1500bit"),
        (
            "loss 2% delay 20ms 5ms reorder 1% duplicate 1% corrupt 0.1% rate 10mbit",
            "loss 2% delay 20ms 5ms reorder 1% duplicate 1% corrupt 0.1% rate 10mbit",
        ),
    ] {
        let spec: Spec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(spec.to_string(), said, "{text}");
    }
}

#[test]
fn errors_name_the_word_and_what_is_allowed() {
    for (text, error) in [
        ("los 2%", r#"unknown fault "los": known are loss, delay, reorder, duplicate, corrupt, rate and limit"#),
        ("loss", "loss lacks its value: expected a share from 0% to 100%, like 2%"),
        ("loss 101%", r#"loss "101%": expected a share from 0% to 100%, like 2%"#),
        ("loss NaN", r#"loss "NaN": expected a share from 0% to 100%, like 2%"#),
        ("delay 20", r#"delay "20": expected a time with its unit (s, ms, us or ns), like 20ms"#),
        ("delay 20ms 5", r#"unknown fault "5": known are loss, delay, reorder, duplicate, corrupt, rate and limit"#),
        ("rate 10", r#"rate "10": expected a rate with its unit (bit, kbit, mbit or gbit), like 10mbit"#),
        ("rate 0bit", r#"rate "0bit": expected a rate with its unit (bit, kbit, mbit or gbit), like 10mbit"#),
        ("limit 0", r#"limit "0": expected a whole number from 1, like 1000"#),
        ("loss 1% loss 2%", "loss is said twice"),
        ("reorder 25%", "reorder needs a delay: a frame can only overtake frames that wait"),
    ] {
        match text.parse::<Spec>() {
            Ok(spec) => panic!("{text} was taken as {spec}"),
            Err(told) => assert_eq!(told.to_string(), error, "{text}"),
        }
    }
}

fn chance() -> impl Strategy<Value = Chance> {
    (0u32..=1000, 0u32..=1000)
        .prop_map(|(percent, correlation)| Chance {
            percent: f64::from(percent) / 10.0,
            correlation: f64::from(correlation) / 10.0,
        })
        .prop_filter("a correlation alone is said with its share", |chance| {
            chance.percent > 0.0 || chance.correlation == 0.0
        })
}

proptest! {
    #[test]
    fn a_spec_survives_its_own_text(
        chances in [chance(), chance(), chance(), chance()],
        delay in 1u64..3_000_000_000_000,
        jitter in 0u64..3_000_000_000,
        rate in proptest::option::of(1u64..1_000_000_000_000),
        gap in 1u32..10,
        limit in 1usize..100_000,
        mark: bool,
    ) {
        let [loss, reorder, duplicate, corrupt] = chances;
        let gap = if reorder.percent > 0.0 { gap } else { 1 };
        let spec = Spec {
            loss, reorder, duplicate, corrupt, rate, gap, limit, mark: mark && loss.percent > 0.0,
            delay: Duration::from_nanos(delay), jitter: Duration::from_nanos(jitter), delay_correlation: 12.5,
        };
        prop_assert_eq!(spec.to_string().parse(), Ok(spec));
    }

    #[test]
    fn any_text_is_taken_or_refused(text in "[a-z0-9%. ]{0,60}") {
        let _ = text.parse::<Spec>();
    }
}
