use super::*;

fn run(code: &str) -> Result<(), Stop> {
    check(code, &Figures::default(), &mut Variables::new())
}

#[test]
fn assertions_hold_fail_or_are_unsupported() {
    for code in [
        "assert 1 + 2 * 3 == 7",
        "assert not 1 > 2 and (0 or 5 % 3 == 2), 'why'",
        "assert 6 & 3 == 2 # no",
        "assert 'a' == \"a\"\n assert 1 < 2 < 3",
        "assert 7 // 2 == 3 and -1 < 0x10",
        "x = 3; y = x * 2 # six\nassert x + y == 9, 'x=%d; y' % x",
        "x = 3; x += 2; x -= 1; assert x == 4",
        "assert abs(-3) == 3 and max(1, 2,\n 3) == min(3, 4)",
        "assert 1 | 2 + 4 & 3 == 3 and -abs(-2) == -2 and - -1 == 1",
        "assert 1 << 4 == 16 and 17 >> 4 == 1 and int(7 / 2) == 3",
        "assert 3 in (1, 2, 3) and not 4 in [1]",
        "print(1); assert (1 == 1 \\\n and 2 == 2)",
        "assert .5 == 1 / 2 and 1e3 == 1000",
    ] {
        assert_eq!(run(code), Ok(()), "{code}");
    }
    for code in ["assert 0", "assert 1 == 2 or 2 > 3", "assert 1 < 3 < 2", "assert 1 / 0", "x = 2\nassert x == 3"] {
        assert!(matches!(run(code), Err(Stop::Failed { .. })), "{code}");
    }
    let deep = format!("assert {}", "(".repeat(100_000));
    let functions = format!("assert {}", "abs(".repeat(100_000));
    for code in [
        "import os",
        "assert what == 1",
        "assert 1 ? 2",
        "assert 'a' < 1",
        "assert open('x')",
        "assert abs()",
        "assert inf > 1",
        "x = 1 2",
        "y += 1",
        "x = 'a'; x += 1",
        &deep,
        &functions,
    ] {
        assert!(matches!(run(code), Err(Stop::Unsupported(_))), "{}: {:?}", &code[..9], run(code));
    }
}

#[test]
fn a_failure_shows_the_figures_that_it_is_about() {
    let mut variables = Variables::new();
    assert_eq!(check("cwnd = 10", &Figures::default(), &mut variables), Ok(()));
    let stopped = check("assert cwnd == 12, cwnd", &Figures::default(), &mut variables);
    assert_eq!(stopped, Err(Stop::failed("assert cwnd == 12, cwnd", "cwnd = 10")));
}
