//! The figures side by side, as a Markdown table.

use super::figures::Column;

/// Figures of which more is better begin so; the engine's bear their ratio to the better other.
const RATES: [&str; 3] = ["cycles/s", "publishes/s", "conditional put"];

pub(crate) fn print(columns: &[Column]) {
    let mut names: Vec<&str> = Vec::new();
    for name in columns.iter().flat_map(Column::names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let head: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    println!("| | {} |", head.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    for name in names {
        let best = columns
            .iter()
            .filter(|column| column.foreign)
            .filter_map(|column| column.figure(name))
            .reduce(f64::max)
            .filter(|_| RATES.iter().any(|rate| name.starts_with(rate)));
        let cells: Vec<String> = columns
            .iter()
            .map(|column| cell(column, name, best))
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn cell(column: &Column, name: &str, best: Option<f64>) -> String {
    match (column.figure(name), best) {
        (None, _) => "-".to_owned(),
        (Some(figure), Some(best)) if !column.foreign => {
            format!("{} ({:.1}×)", grouped(figure), figure / best)
        }
        (Some(figure), _) => grouped(figure),
    }
}

/// Thousands apart; with a decimal only where there is one digit before it.
fn grouped(figure: f64) -> String {
    if figure < 10.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
