//! Numbers in a readable form.

use crate::stat::Estimate;

/// The number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits, but all digits from a thousand, and two below one. Trailing zeros
/// stay, so that numbers of a column have as many digits.
pub fn rounded(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size >= 99.95 => grouped(number.round() as u64),
        size if size >= 9.95 => format!("{number:.1}"),
        size if size >= 0.995 => format!("{number:.2}"),
        size if size >= 0.000_095 => {
            // Two digits after the leading zeros.
            let zeros = (-size.log10()).floor() as usize;
            format!("{number:.*}", zeros + 2)
        }
        _ => format!("{number:.0e}"),
    }
}

/// A difference with its sign.
pub fn signed(number: f64) -> String {
    let size = rounded(number.abs());
    match number {
        _ if size == "0" => size,
        0.0.. => format!("+{size}"),
        _ => format!("−{size}"),
    }
}

/// A number without trailing zeros, for an axis; its unit stays.
pub fn short(text: &str) -> String {
    let (number, unit) = text.find(' ').map_or((text, ""), |space| text.split_at(space));
    match number.contains('.') {
        true => format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.')),
        false => text.to_owned(),
    }
}

/// A percentage.
pub fn percent(share: f64) -> String {
    format!("{} %", rounded(share * 100.0))
}

/// A probability.
pub fn chance(p: f64) -> String {
    match p {
        0.001.. => format!("p = {p:.3}"),
        _ => "p < 0.001".to_owned(),
    }
}

/// A duration in microseconds, in a suitable unit.
pub fn duration_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", rounded(us as f64 / 1e3)),
        _ => format!("{} s", rounded(us as f64 / 1e6)),
    }
}

/// An interval with its unit, as in `0.2 to 0.7`.
pub fn interval(estimate: Estimate, show: fn(f64) -> String) -> String {
    format!("{} to {}", show(estimate.low), show(estimate.high))
}

/// Clauses as a sentence: with a capital at the beginning and a full stop at the end.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let Some(first) = letters.next() else { return String::new() };
    first.to_uppercase().chain(letters).chain(['.']).collect()
}

/// A count with its noun: `1 run`, `2 runs`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        for (number, text) in [
            (0.0, "0"),
            (0.000_4, "0.00040"),
            (0.012_34, "0.012"),
            (0.4, "0.40"),
            (1.0, "1.00"),
            (3.456, "3.46"),
            (45.67, "45.7"),
            (10.0, "10.0"),
            (1234.5, "1,235"),
        ] {
            assert_eq!(rounded(number), text);
        }
        assert_eq!([signed(-3.2), signed(0.0), signed(450.2)], ["−3.20", "0", "+450"]);
        assert_eq!(percent(0.023), "2.30 %");
        assert_eq!(
            [chance(0.125), chance(1.0), chance(1e-9)],
            ["p = 0.125", "p = 1.000", "p < 0.001"]
        );
        assert_eq!(duration_us(950), "950 µs");
        assert_eq!(duration_us(1_250), "1.25 ms");
        assert_eq!([duration_us(5_500), duration_us(5_490)], ["5.50 ms", "5.49 ms"]);
        assert_eq!(duration_us(2_000_000), "2.00 s");
        for (text, marked) in
            [("2.00 s", "2 s"), ("0.40 %", "0.4 %"), ("100 %", "100 %"), ("0", "0")]
        {
            assert_eq!(short(text), marked);
        }
        assert_eq!(plural(1, "run", "runs"), "1 run");
    }
}
