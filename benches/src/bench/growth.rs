//! The rates while an escrow grows: what is new and what is converted, beside the number of subjects there are.

use std::sync::Arc;

use serde::Serialize;

use crate::custodian::element;
use crate::load::Load;
use crate::run::{Run, Stream, Tokens};
use crate::subjects::{ROWS, numbers};

const FROM: &str = "growth-escrow";
const TO: &str = "growth-inbound";

/// The steps, in subjects; a run goes as far as it has subjects.
const STEPS: [u64; 7] = [
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];
/// Tokens that are converted at each step, at most.
const CONVERTED: u64 = 1_000_000;

/// The rates of one step.
#[derive(Serialize, Debug)]
pub(crate) struct Step {
    /// Subjects that there are at its end.
    subjects: u64,
    /// Subjects per second, of those that it brought.
    new_per_second: f64,
    /// Random tokens of all subjects per second, into a chain that stores nothing.
    converted_per_second: f64,
}

/// Goes from step to step.
pub(crate) fn measure(run: &mut Run) -> Vec<Step> {
    let grant = run.runtime.block_on(run.custodian.convert_grant(FROM, TO));
    let mut ends: Vec<u64> = STEPS
        .into_iter()
        .filter(|end| *end < run.subjects)
        .collect();
    ends.push(run.subjects);
    let keep_every = (run.subjects / CONVERTED).max(1);
    let (mut steps, mut tokens, mut start) = (Vec::new(), Tokens::of(&[]), 0);
    for end in ends {
        let load = Load {
            element: element("bsn"),
            batches: (end - start).div_ceil(ROWS),
            make: Arc::new(move |index| {
                let first = start + index * ROWS;
                numbers(first..end.min(first + ROWS))
            }),
            keep_every,
        };
        let loaded = run.send(&Stream::Pseudonymise(FROM, "bsn"), load);
        tokens = tokens.and(&loaded.kept);
        let known = Arc::new(tokens);
        let load = known.clone().load(CONVERTED / ROWS);
        let converted = run.send(&Stream::Convert(&grant), load);
        tokens = Arc::into_inner(known).expect("the load has ended");
        let step = Step {
            subjects: end,
            new_per_second: loaded.rate(),
            converted_per_second: converted.rate(),
        };
        eprintln!("{}", line(&step));
        steps.push(step);
        start = end;
    }
    steps
}

/// One row per step.
pub(crate) fn table(steps: &[Step]) -> String {
    let mut table = format!("{:>12} {:>12} {:>12}\n", "subjects", "new/s", "converted/s");
    for step in steps {
        table += &line(step);
        table.push('\n');
    }
    table
}

fn line(step: &Step) -> String {
    format!(
        "{:>12} {:>12.0} {:>12.0}",
        step.subjects, step.new_per_second, step.converted_per_second
    )
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 310.0;
/// Values per second between two lines of the grid.
const GRID: f64 = 200_000.0;

/// The steps as an SVG drawing: subjects on a logarithmic axis, values per second from zero.
pub(crate) fn drawing(steps: &[Step]) -> String {
    let rates = steps
        .iter()
        .flat_map(|step| [step.new_per_second, step.converted_per_second]);
    let top = (rates.fold(GRID, f64::max) / GRID).ceil() * GRID;
    let first = steps.first().map_or(1.0, |step| step.subjects as f64);
    let last = steps.last().map_or(10.0, |step| step.subjects as f64);
    let decades = (last / first).log10().max(0.1);
    let x = |subjects: u64| LEFT + (subjects as f64 / first).log10() / decades * (RIGHT - LEFT);
    let y = |rate: f64| BOTTOM - rate / top * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Values per second beside the number of subjects in escrow</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let mut add = |text: String| {
        svg += &text;
        svg.push('\n');
    };
    let mut rate = 0.0;
    while rate <= top {
        let at = y(rate);
        add(format!(
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1} M/s</text>",
            LEFT - 6.0,
            at + 4.0,
            rate / 1e6
        ));
        rate += GRID;
    }
    for step in steps {
        let millions = step.subjects as f64 / 1e6;
        add(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{millions} M</text>",
            x(step.subjects),
            BOTTOM + 18.0
        ));
    }
    add(format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">subjects in escrow</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 38.0
    ));
    let rows = "new subjects, a durable row for each";
    let new: fn(&Step) -> f64 = |step| step.new_per_second;
    let converted: fn(&Step) -> f64 = |step| step.converted_per_second;
    for (colour, name, at, rate) in [
        ("#1f5fa8", rows, LEFT, new),
        ("#c2571a", "random tokens converted", 350.0, converted),
    ] {
        let points = steps
            .iter()
            .map(|step| format!("{:.1},{:.1}", x(step.subjects), y(rate(step))));
        let points: Vec<String> = points.collect();
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{at:.1}\" y=\"24\" fill=\"{colour}\">{name}</text>",
            points.join(" ")
        ));
    }
    svg += "</svg>\n";
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_stays_in_its_frame() {
        let step = |subjects, new_per_second| Step {
            subjects,
            new_per_second,
            converted_per_second: 1.0,
        };
        let svg = drawing(&[step(1_000_000, 950_000.0), step(100_000_000, 600_000.0)]);
        assert!(svg.contains("points=\"60.0,53.5 620.0,148.0\""), "{svg}");
        assert!(svg.contains("points=\"60.0,310.0 620.0,310.0\""), "{svg}");
        assert!(svg.contains(">100 M</text>"));
    }
}
