//! All files of a delivery table.

use super::study::{self, Study};
use super::summary::{Summary, summarise};
use super::{chart, page};
use crate::acks::Seeds;
use crate::out::{OutFile, Own};
use crate::plot::{self, Caption, DELIVERY, DeliveryPlot, Room};

/// The file that a report is made from.
pub const STUDY_FILE: &str = "study.jsonl";

const PAGE: &str = "index.html";
const NUMBERS: &str = "report.json";
const TABLE: &str = "delivery.csv";
/// The formats of each chart.
const OF_PLOT: [&str; 3] = ["csv", "svg", "png"];

/// How a directory is recognised as a delivery table.
pub const OWN: Own = Own { mark: NUMBERS, is_marked, has_file, in_words };

fn has_file(name: &str) -> bool {
    let is_of_plot = |(stem, extension): (&str, &str)| {
        OF_PLOT.contains(&extension) && DELIVERY.iter().any(|plot| plot.id == stem)
    };
    [PAGE, NUMBERS, TABLE, STUDY_FILE].contains(&name)
        || name.rsplit_once('.').is_some_and(is_of_plot)
}

/// Whether `report` is the `report.json` of a delivery table, of any version.
fn is_marked(report: &[u8]) -> bool {
    let report: serde_json::Value = serde_json::from_slice(report).unwrap_or_default();
    report["study"]["kind"] == study::KIND
}

/// A report in words; without its seeds if `report.json` does not name them.
fn in_words(report: &[u8]) -> String {
    let report: serde_json::Value = serde_json::from_slice(report).unwrap_or_default();
    match serde_json::from_value::<Seeds>(report["study"]["seeds"].clone()) {
        Ok(seeds) => format!("the delivery table of seeds {}", seeds.text()),
        Err(_) => "the delivery table".to_owned(),
    }
}

/// The files of a delivery table, the study itself included, and its numbers.
pub fn files(study: &Study) -> (Summary, Vec<OutFile>) {
    let summary = summarise(study);
    let mut jsonl = Vec::new();
    study::write(study, &mut jsonl).expect("a Vec takes everything");
    let mut json = serde_json::to_vec_pretty(&summary).expect("a summary is plain data");
    json.push(b'\n');
    let mut files = vec![
        OutFile::new(PAGE, page::render(&summary)),
        OutFile::new(NUMBERS, json),
        OutFile::new(TABLE, chart::table(&summary).csv()),
        OutFile::new(STUDY_FILE, jsonl),
    ];
    let caption = Caption::of_delivery(&summary.study);
    for plot in DELIVERY {
        files.extend(of_plot(plot, &summary, &caption));
    }
    (summary, files)
}

fn of_plot(plot: DeliveryPlot, summary: &Summary, caption: &Caption) -> [OutFile; 3] {
    let table = plot.table(summary);
    let scene = plot.draw(&table, caption, Room::Wide);
    let [csv, svg, png] = OF_PLOT.map(|extension| format!("{}.{extension}", plot.id));
    [
        OutFile::new(csv, table.csv()),
        OutFile::new(svg, plot::svg(&scene)),
        OutFile::new(png, plot::png(&scene)),
    ]
}
