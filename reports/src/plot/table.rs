//! The numbers of a chart: the CSV file and the table on the page show them, and the chart is drawn
//! from them alone.

use crate::page::text;
use maud::{Markup, html};
use std::fmt::Write;

/// The kind of values in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// A count.
    Count,
    /// Any other number.
    Number,
    /// A share from 0 to 1; shown as a percentage.
    Share,
    /// Simulated microseconds; shown in a suitable unit.
    Micros,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in CSV.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The kind of its values.
    pub kind: Kind,
}

/// A column.
pub(super) const fn column(key: &'static str, title: &'static str, kind: Kind) -> Column {
    Column { key, title, kind }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number, a count included.
    Number(f64),
    /// No value.
    Missing,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count. Counts above 2^53 lose precision; no study has that many records.
    pub fn count(count: u64) -> Self {
        Self::Number(count as f64)
    }

    /// A number, if there is one.
    pub fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Missing, Self::Number)
    }

    /// The three numbers of an estimate, if there is one.
    pub fn estimate(estimate: Option<crate::stat::Estimate>) -> [Self; 3] {
        [
            Self::number(estimate.map(|e| e.value)),
            Self::number(estimate.map(|e| e.low)),
            Self::number(estimate.map(|e| e.high)),
        ]
    }

    /// The ends of the interval of an estimate, if there is one.
    pub fn interval(estimate: Option<crate::stat::Estimate>) -> [Self; 2] {
        [Self::number(estimate.map(|e| e.low)), Self::number(estimate.map(|e| e.high))]
    }

    /// The number, if this is a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The words; empty if this is not a text.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    fn for_people(&self, kind: Kind) -> String {
        match (self, kind) {
            (Self::Text(text), _) => text.clone(),
            (Self::Missing, _) => "–".to_owned(),
            (Self::Number(n), Kind::Count) => text::grouped(n.round() as u64),
            (Self::Number(n), Kind::Share) => text::percent(*n),
            (Self::Number(n), Kind::Micros) => text::duration_us(n.round() as u64),
            (Self::Number(n), _) => text::rounded(*n),
        }
    }
}

/// Rows of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns.
    pub columns: &'static [Column],
    /// The rows, each with as many values as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The value of a row in column `key`.
    ///
    /// # Panics
    ///
    /// If there is no such column, which is a defect of the chart.
    pub fn cell<'a>(&self, row: &'a [Cell], key: &str) -> &'a Cell {
        let place = self.columns.iter().position(|column| column.key == key);
        &row[place.unwrap_or_else(|| panic!("no column {key}"))]
    }

    /// The number of a row in column `key`.
    pub fn number(&self, row: &[Cell], key: &str) -> Option<f64> {
        self.cell(row, key).as_number()
    }

    /// CSV (RFC 4180) with a header line. Numbers have all their digits.
    pub fn csv(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.key).collect();
        let mut csv = names.join(",") + "\r\n";
        for row in &self.rows {
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    csv.push(',');
                }
                match cell {
                    Cell::Text(text) => csv.push_str(&quoted(text)),
                    Cell::Number(number) => {
                        let _ = write!(csv, "{number}");
                    }
                    Cell::Missing => {}
                }
            }
            csv.push_str("\r\n");
        }
        csv
    }

    /// HTML, without the columns that repeat `setting` for programs.
    pub fn html(&self, caption: &str) -> Markup {
        let class = |kind: Kind| if kind == Kind::Text { "name" } else { "number" };
        let has_column = |key: &str| self.columns.iter().any(|column| column.key == key);
        let of_setting = ["acks", "min.insync.replicas"];
        let is_shown =
            |column: &&Column| !has_column("setting") || !of_setting.contains(&column.key);
        html! {
            div class="scroll" tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead { tr {
                        @for column in self.columns.iter().filter(is_shown) {
                            th scope="col" class=(class(column.kind)) { (column.title) }
                        }
                    } }
                    tbody {
                        @for row in &self.rows { tr {
                            @let cells = row.iter().zip(self.columns);
                            @let cells = cells.filter(|(_, column)| is_shown(column));
                            @for (place, (cell, column)) in cells.enumerate() {
                                @let shown = cell.for_people(column.kind);
                                @if place == 0 {
                                    th scope="row" { (shown) }
                                } @else {
                                    td class=(class(column.kind)) { (shown) }
                                }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    // A spreadsheet would treat a text that begins like this as a formula.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_where_necessary_and_defuses_formulas() {
        const COLUMNS: &[Column] =
            &[column("name", "Name", Kind::Text), column("rate", "Rate", Kind::Number)];
        let rows = vec![
            vec![Cell::text("a, \"b\""), Cell::Number(0.1)],
            vec![Cell::text("=cmd()"), Cell::Missing],
            vec![Cell::text("plain"), Cell::Number(1e-7)],
        ];
        let table = Table { columns: COLUMNS, rows };
        let lines = ["name,rate", "\"a, \"\"b\"\"\",0.1", "'=cmd(),", "plain,0.0000001", ""];
        assert_eq!(table.csv(), lines.join("\r\n"));
    }
}
