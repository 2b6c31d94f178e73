//! Output on a terminal: colour only if it is wanted, and lines as wide as the terminal.

#![cfg(target_os = "linux")]

use super::{Ended, Folder};
use std::process::Command;

const RUN: &str = "scenario leader-crash --seed 42";

/// Starts the program on a terminal with this number of columns. `None` if `script` (util-linux) is
/// not installed.
fn on_terminal(
    folder: &Folder,
    columns: u16,
    environment: &[(&str, &str)],
    args: &str,
) -> Option<String> {
    let line = format!("stty rows 40 cols {columns}; '{}' {args}", env!("CARGO_BIN_EXE_faultline"));
    scripted(folder, &line, environment)
}

/// Runs a shell command on a terminal.
fn scripted(folder: &Folder, line: &str, environment: &[(&str, &str)]) -> Option<String> {
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).current_dir(folder.path());
    command.env_remove("CARGO").env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command.envs(environment.iter().copied()).stdin(std::process::Stdio::null());
    if command.output().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        eprintln!("not run: `script` is not installed");
        return None;
    }
    Some(Ended::of(&mut command).out.replace('\r', ""))
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let folder = Folder::new("terminal-colour");
    let Some(coloured) = on_terminal(&folder, 100, &[], RUN) else { return };
    assert!(coloured.contains("\x1b[1;32mPASS"), "{coloured:?}");
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        for args in [RUN, "scenario no-faults --seeds 0..30", "list bugs", "scenario nothing"] {
            let plain = on_terminal(&folder, 100, &[environment], args).expect("it was there");
            assert!(!plain.contains('\x1b'), "{environment:?} {args}: {plain:?}");
        }
    }
    let piped = folder.run(&RUN.split(' ').collect::<Vec<_>>());
    assert!(piped.out.starts_with("PASS ") && !piped.out.contains('\x1b'), "{}", piped.out);
}

#[test]
fn lines_are_as_wide_as_the_terminal() {
    let folder = Folder::new("terminal-width");
    let plain = [("NO_COLOR", "1")];
    let widest = |columns: u16| -> Option<usize> {
        let text = on_terminal(&folder, columns, &plain, RUN)?;
        assert!(text.contains("PASS"), "{text}");
        // Paths and commands are not broken.
        let lines =
            text.lines().filter(|line| !line.starts_with("again") && !line.contains("digest"));
        lines.map(|line| line.chars().count()).max()
    };
    let Some(narrow) = widest(70) else { return };
    assert!((50..=70).contains(&narrow), "{narrow}");
    let wide = widest(110).expect("it was there");
    assert!((90..=110).contains(&wide), "{wide}");
    assert!(widest(300).expect("it was there") <= 120);
    assert!(widest(20).expect("it was there") <= 60);
}

#[test]
fn the_columns_of_a_terminal_without_rows_are_used() {
    let folder = Folder::new("terminal-rows");
    for args in [RUN, "list checks", "list rules"] {
        let line = format!("stty rows 0 cols 64; '{}' {args}", env!("CARGO_BIN_EXE_faultline"));
        let Some(text) = scripted(&folder, &line, &[("NO_COLOR", "1")]) else { return };
        let lines =
            text.lines().filter(|line| !line.starts_with("again") && !line.contains("digest"));
        let widest = lines.map(|line| line.chars().count()).max().unwrap();
        assert!((50..=64).contains(&widest), "{widest}\n{text}");
    }
}
