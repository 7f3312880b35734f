//! The table and the picture.

use crate::sample::Sample;
use crate::stacks::Stack;
use crate::workload::Workload;
use std::fmt::{self, Write};

/// A round counts when the hypervisor gave less than this of it to others.
const STOLEN: f64 = 0.10;

/// What came of a workload.
pub struct Result {
    workload: Workload,
    rows: Vec<Row>,
    /// Rounds that count, and how many there were.
    counted: usize,
    rounds: usize,
}

struct Row {
    stack: Stack,
    figure: f64,
    cpu: f64,
    machine_cpu: f64,
    memory: f64,
    /// Against the first stack of the same round: median, smallest, largest. Above one is better.
    ratio: [f64; 3],
    cpu_ratio: f64,
}

impl Result {
    pub fn of(workload: Workload, stacks: &[Stack], rounds: Vec<Vec<Sample>>) -> Result {
        let all = rounds.len();
        let (quiet, noisy): (Vec<_>, Vec<_>) =
            rounds.into_iter().partition(|round| round.iter().all(|sample| sample.stolen < STOLEN));
        // Better noise than nothing, and the table says so.
        let rounds = if quiet.is_empty() { noisy } else { quiet };
        let row = |(at, stack): (usize, &Stack)| {
            let of = |pick: fn(&Sample) -> f64| median(rounds.iter().map(|round| pick(&round[at])).collect())[0];
            let ratio = |pick: fn(&Sample) -> f64| median(rounds.iter().map(|r| pick(&r[at]) / pick(&r[0])).collect());
            let [middle, least, most] = ratio(|sample| sample.figure);
            let less = workload.unit().less_is_better;
            Row {
                stack: *stack,
                figure: of(|sample| sample.figure),
                cpu: of(|sample| sample.cpu),
                machine_cpu: of(|sample| sample.machine_cpu),
                memory: of(|sample| sample.memory),
                ratio: if less { [1.0 / middle, 1.0 / most, 1.0 / least] } else { [middle, least, most] },
                cpu_ratio: ratio(|sample| sample.cpu)[0],
            }
        };
        let rows = stacks.iter().enumerate().map(row).collect();
        Result { workload, rows, counted: rounds.len(), rounds: all }
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.workload.unit();
        let (cpu_unit, scale) = unit.cpu;
        let rounds = format!("{} of {} rounds", self.counted, self.rounds);
        writeln!(
            f,
            "{:<32} {:>9}  ratio (min to max)     CPU {cpu_unit:<8} ratio  whole machine   {rounds}",
            self.workload, unit.name
        )?;
        for row in &self.rows {
            let [middle, least, most] = row.ratio;
            write!(
                f,
                "  {:<30} {:>9.2}  {middle:<5.2} ({least:.2} to {most:.2})   {:>9.3}     {:>5.2}  {:>9.3}",
                row.stack.name(),
                row.figure,
                row.cpu * scale,
                row.cpu_ratio,
                row.machine_cpu * scale,
            )?;
            if self.workload.idle > 0 {
                write!(f, "   {:.0} bytes of memory for each idle connection", row.memory)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The middle, the least and the most.
fn median(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [figures[figures.len() / 2], figures[0], figures[figures.len() - 1]]
}

/// Bars of the ratios to the first stack of each workload.
pub fn svg(results: &[Result]) -> String {
    const ROW: usize = 18;
    const LEFT: usize = 330;
    const UNIT: f64 = 300.0;
    let height = results.iter().map(|result| (result.rows.len() + 1) * ROW).sum::<usize>() + ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut y = ROW;
    for result in results {
        let _infallible = writeln!(text, "<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{}</text>", result.workload);
        for row in &result.rows {
            y += ROW;
            let width = (row.ratio[0] * UNIT).min(480.0);
            let colour = if row.stack == Stack::Strata { "#2c7fb8" } else { "#bdbdbd" };
            let _infallible = writeln!(
                text,
                "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{} {:.2} {}</text><rect x=\"{LEFT}\" y=\"{}\" \
                 width=\"{width:.0}\" height=\"12\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{y}\">{:.2}</text>",
                LEFT - 8,
                row.stack.name(),
                row.figure,
                result.workload.unit().name,
                y - 11,
                LEFT as f64 + width + 5.0,
                row.ratio[0],
            );
        }
        y += ROW;
    }
    text + "</svg>\n"
}
