//! All files of a report.

use super::page;
use super::study::{self, Study};
use super::summary::{Summary, summarise};
use crate::out::OutFile;
use crate::plot::{self, Caption, Plot, Room};

/// The file that a report is made from.
pub const STUDY_FILE: &str = "study.jsonl";

/// The files of the report on a study, the study itself included, and its numbers.
pub fn files(study: &Study) -> (Summary, Vec<OutFile>) {
    let summary = summarise(study);
    let mut jsonl = Vec::new();
    study::write(study, &mut jsonl).expect("a Vec takes everything");
    let mut json = serde_json::to_vec_pretty(&summary).expect("a summary is plain data");
    json.push(b'\n');
    let mut files = vec![
        OutFile::new("index.html", page::render(&summary)),
        OutFile::new("report.json", json),
        OutFile::new(STUDY_FILE, jsonl),
    ];
    let caption = Caption::of(&summary.study);
    for plot in plot::ACKS {
        files.extend(of_plot(plot, &summary, &caption));
    }
    (summary, files)
}

fn of_plot(plot: &Plot, summary: &Summary, caption: &Caption) -> [OutFile; 3] {
    let table = (plot.table)(summary);
    let scene = (plot.draw)(&table, caption, Room::Wide);
    [
        OutFile::new(format!("{}.csv", plot.id), table.csv()),
        OutFile::new(format!("{}.svg", plot.id), plot::svg(&scene)),
        OutFile::new(format!("{}.png", plot.id), plot::png(&scene)),
    ]
}
