//! The picture: for each workload how every stack stands to the limit of the path.

use crate::report::{Results, Spread};
use crate::stacks::Stack;
use crate::workload::Workload;
use std::fmt::Write;

const ROW: f64 = 16.0;
const BAR: f64 = 10.0;
const GAP: f64 = 12.0;
const TOP: f64 = 76.0;
const LEFT: f64 = 330.0;
const WIDTH: f64 = 940.0;
/// How long a bar of the limit's own length is, and how far the longest may go.
const UNIT: f64 = 340.0;
const LONGEST: f64 = 1.55;

/// Bars of what each stack does to what the limit does; longer is better.
pub fn svg(results: &Results) -> String {
    let workloads = results.workloads();
    let rows: usize = workloads.iter().map(|workload| results.stacks(*workload).len()).sum();
    let height = TOP + rows as f64 * ROW + workloads.len() as f64 * (ROW + GAP) + GAP;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">What each stack makes of the path</text>\n\
         <text x=\"16\" y=\"44\" fill=\"#555\">against the limit of the path in the same round (1.00): median, and the range of \
         the rounds; longer is better</text>\n"
    );
    for tenth in [0.0, 0.5, 1.0, 1.5] {
        let (x, colour) = (LEFT + tenth * UNIT, if tenth == 1.0 { "#999" } else { "#e4e4e4" });
        line(&mut text, (x, TOP - 6.0), (x, height - GAP), colour);
        let _infallible = writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{tenth:.1}</text>",
            TOP - 9.0
        );
    }
    let mut y = TOP;
    for workload in workloads {
        y += ROW;
        let _infallible = writeln!(text, "<text x=\"16\" y=\"{:.1}\" font-weight=\"bold\">{workload}</text>", y - 3.0);
        for stack in results.stacks(workload) {
            y += ROW;
            row(&mut text, results, (stack, workload), y);
        }
        y += GAP;
    }
    text + "</svg>\n"
}

fn row(text: &mut String, results: &Results, (stack, workload): (Stack, Workload), y: f64) {
    let unit = workload.unit();
    let figure = results.of(stack, workload, |sample| sample.figure);
    let told = figure.map_or_else(|| "-".into(), |figure| format!("{:.2} {}", figure.middle, unit.name));
    let (baseline, weight) = (y - 3.5, if stack == Stack::Strata { " font-weight=\"bold\"" } else { "" });
    let _infallible = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\"{weight}>{}</text>\
         <text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\"{weight}>{told}</text>",
        LEFT - 110.0,
        stack.name(),
        LEFT - 10.0,
    );
    let ratio = results.ratio((stack, workload), (Stack::Limit, workload), |sample| sample.figure);
    let Some(ratio) = ratio.map(|ratio| if unit.less_is_better { inverse(ratio) } else { ratio }) else {
        let reason = results.reason(stack, workload);
        let _infallible = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{baseline:.1}\" fill=\"#888\" font-style=\"italic\">{reason}</text>",
            LEFT + 6.0
        );
        return;
    };
    let x = |ratio: f64| LEFT + ratio.min(LONGEST) * UNIT;
    let middle = y - ROW / 2.0;
    let _infallible = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{}\"/>",
        middle - BAR / 2.0,
        x(ratio.middle) - LEFT,
        colour(stack),
    );
    line(text, (x(ratio.least), middle), (x(ratio.most), middle), "#333");
    for end in [ratio.least, ratio.most] {
        line(text, (x(end), middle - 3.0), (x(end), middle + 3.0), "#333");
    }
    let beyond = if ratio.middle > LONGEST { " →" } else { "" };
    let _infallible = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{baseline:.1}\"{weight}>{:.2}{beyond}</text>",
        x(ratio.most.max(ratio.middle)) + 6.0,
        ratio.middle
    );
}

/// A time that is half as long is twice as good.
fn inverse(ratio: Spread) -> Spread {
    Spread { middle: 1.0 / ratio.middle, least: 1.0 / ratio.most, most: 1.0 / ratio.least }
}

fn line(text: &mut String, (from_x, from_y): (f64, f64), (to_x, to_y): (f64, f64), colour: &str) {
    let _infallible = writeln!(
        text,
        "<line x1=\"{from_x:.1}\" y1=\"{from_y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"{colour}\"/>"
    );
}

fn colour(stack: Stack) -> &'static str {
    match stack {
        Stack::Limit => "#d0d0d0",
        Stack::LimitCopying => "#b0b0b0",
        Stack::LimitBigTcp => "#909090",
        Stack::Strata => "#2c7fb8",
        Stack::SmoltcpTuned => "#fdae61",
        Stack::Smoltcp => "#fee0a3",
        Stack::Kernel => "#a6bddb",
    }
}
