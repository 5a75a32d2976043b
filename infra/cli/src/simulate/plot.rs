//! The comparison as a picture: how many slots a policy fills for how many messages, and how fast.

use std::fmt::Write;

use super::compare::{Compared, Report};

/// Size of the picture, and of each panel in it, in pixels.
const WIDTH: f64 = 1_180.0;
const PANEL_TOP: f64 = 84.0;
const ROW: f64 = 26.0;
const BAR: f64 = 11.0;

/// Left edges: of the names, of fill rates, of messages, and of times.
const NAMES: f64 = 24.0;
const PANELS: [(f64, f64); 3] = [(220.0, 340.0), (620.0, 230.0), (920.0, 220.0)];

/// Colours that people with colour blindness tell apart (Okabe and Ito's).
const BLUE: &str = "#0072b2";
const ORANGE: &str = "#e69f00";
const GREEN: &str = "#009e73";
const GREY: &str = "#999999";

/// One series of bars.
struct Series {
    figure: &'static str,
    colour: &'static str,
    times: f64,
}

/// The whole picture as SVG.
#[must_use]
pub fn draw(report: &Report) -> String {
    let rows = report.policies.len() as f64;
    let bottom = PANEL_TOP + rows * ROW;
    let height = bottom + 92.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#222222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let title = format!(
        "{:.0} freed slots in {} days, mean of {} seeds (lines: 95 % confidence)",
        report.slots,
        report.days,
        report.seeds.len()
    );
    text(
        &mut svg,
        (NAMES, 30.0),
        "font-size=\"18\" font-weight=\"bold\"",
        &title,
    );
    names(&mut svg, report);
    let fills = [
        series("fillRate", BLUE, 100.0),
        series("sameDayFillRate", ORANGE, 100.0),
    ];
    panel(
        &mut svg,
        report,
        PANELS[0],
        "Slots filled, %",
        100.0,
        &fills,
    );
    let messages = [series("messagesPerFill", GREEN, 1.0)];
    let top = scale(report, &messages);
    panel(
        &mut svg,
        report,
        PANELS[1],
        "Messages per filled slot",
        top,
        &messages,
    );
    let times = [
        series("minutesToFillMedian", BLUE, 1.0 / 60.0),
        series("minutesToFillP90", GREY, 1.0 / 60.0),
    ];
    let top = scale(report, &times);
    panel(
        &mut svg,
        report,
        PANELS[2],
        "Hours until filled",
        top,
        &times,
    );
    let legend = [
        (PANELS[0].0, BLUE, "all slots"),
        (PANELS[0].0 + 110.0, ORANGE, "slots of the same day"),
        (PANELS[2].0, BLUE, "median"),
        (PANELS[2].0 + 90.0, GREY, "9 of 10"),
    ];
    for (x, colour, words) in legend {
        let y = bottom + 40.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>",
            y - 11.0
        );
        text(&mut svg, (x + 18.0, y), "", words);
    }
    let said = match &report.recommendation.policy {
        Some(policy) => format!(
            "Recommended: {policy}. Its name is bold; those in grey exceed a limit of the objective."
        ),
        None => "No policy keeps to the limits of the objective.".to_owned(),
    };
    text(&mut svg, (NAMES, bottom + 74.0), "", &said);
    svg.push_str("</svg>\n");
    svg
}

const fn series(figure: &'static str, colour: &'static str, times: f64) -> Series {
    Series {
        figure,
        colour,
        times,
    }
}

fn value(policy: &Compared, series: &Series) -> Option<f64> {
    policy.mean(series.figure).map(|mean| mean * series.times)
}

/// The end of an axis: round, and beyond nine of ten values. Those far beyond are cut off and say
/// what they are.
fn scale(report: &Report, series: &[Series]) -> f64 {
    let mut values: Vec<f64> = report
        .policies
        .iter()
        .flat_map(|policy| series.iter().filter_map(|it| value(policy, it)))
        .collect();
    values.sort_by(f64::total_cmp);
    let highest = values.last().copied().unwrap_or(1.0);
    let most = values
        .get(values.len() * 9 / 10)
        .copied()
        .unwrap_or(highest);
    let end = if highest > 2.0 * most { most } else { highest };
    // Quarters that are easily read.
    let unit = 10_f64.powf((end.max(1e-9) / 4.0).log10().floor());
    let nice = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].map(|it| it * unit * 4.0);
    nice.into_iter().find(|it| *it >= end).unwrap_or(end)
}

fn names(svg: &mut String, report: &Report) {
    for (at, policy) in report.policies.iter().enumerate() {
        let y = PANEL_TOP + at as f64 * ROW + ROW / 2.0 + 4.0;
        let chosen = report.recommendation.policy.as_ref() == Some(&policy.name);
        let style = match (chosen, &policy.excluded) {
            (true, _) => "font-weight=\"bold\"",
            (_, Some(_)) => "fill=\"#777777\"",
            _ => "",
        };
        if chosen {
            let top = PANEL_TOP + at as f64 * ROW;
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{ROW}\" fill=\"#eef4fa\"/>",
                NAMES - 8.0,
                WIDTH - 2.0 * (NAMES - 8.0)
            );
        }
        text(svg, (NAMES, y), style, &policy.name);
    }
}

fn panel(
    svg: &mut String,
    report: &Report,
    (left, width): (f64, f64),
    heading: &str,
    end: f64,
    series: &[Series],
) {
    let bottom = PANEL_TOP + report.policies.len() as f64 * ROW;
    text(
        svg,
        (left, PANEL_TOP - 14.0),
        "font-weight=\"bold\"",
        heading,
    );
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let x = left + share * width;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"{PANEL_TOP}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>"
        );
        text(
            svg,
            (x, bottom + 16.0),
            "font-size=\"11\" text-anchor=\"middle\"",
            &short(share * end),
        );
    }
    for (at, policy) in report.policies.iter().enumerate() {
        let top = PANEL_TOP + at as f64 * ROW + (ROW - BAR * series.len() as f64) / 2.0;
        for (place, it) in series.iter().enumerate() {
            let y = top + place as f64 * BAR;
            if let Some(value) = value(policy, it) {
                bar(svg, policy, it, (left, y, width / end), (value, end));
            }
        }
    }
}

fn bar(
    svg: &mut String,
    policy: &Compared,
    series: &Series,
    (left, y, pixels): (f64, f64, f64),
    (value, end): (f64, f64),
) {
    let thick = BAR - 1.5;
    let long = value.min(end) * pixels;
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{thick}\" fill=\"{}\"/>",
        series.colour
    );
    let half = policy
        .figures
        .get(series.figure)
        .and_then(|it| it.plus_minus);
    let half = half.unwrap_or(0.0) * series.times;
    let middle = y + thick / 2.0;
    let at = |value: f64| left + value.clamp(0.0, end) * pixels;
    if half > 0.0 && value <= end {
        let (from, to) = (at(value - half), at(value + half));
        let _ = writeln!(
            svg,
            "<line x1=\"{from:.1}\" y1=\"{middle:.1}\" x2=\"{to:.1}\" y2=\"{middle:.1}\" stroke=\"#222222\"/>"
        );
    }
    let said = if value > end {
        format!("{} →", short(value))
    } else {
        short(value)
    };
    let after = if value > end {
        left + long
    } else {
        at(value + half).max(left + long)
    };
    text(svg, (after + 4.0, middle + 3.5), "font-size=\"10\"", &said);
}

fn short(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), style: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{words}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_the_picture() {
        let mut svg = String::new();
        text(&mut svg, (0.0, 0.0), "", "a < b & c");
        assert!(svg.contains("a &lt; b &amp; c"));
    }
}
