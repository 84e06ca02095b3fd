//! The known name that a misspelt one was probably meant to be.

/// The one of `known` that takes the fewest edits to become, if it is near enough to be what was meant.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.to_lowercase();
    // A third of the letters may differ: more, and the guess would be a guess.
    let allowed = (written.chars().count() / 3).max(1);
    known
        .iter()
        .map(|&name| (distance(&written, name), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Letters to add, leave out, replace or swap with their neighbour to get from one word to the other.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, &a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let mut edits =
                (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && b == from[i - 1] {
                edits = edits.min(rows[i - 1][j - 1] + 1);
            }
            row.push(edits);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: &[&str] = &["link", "continue", "destination", "fields"];

    #[test]
    fn a_slip_finds_the_name() {
        assert_eq!(nearest("destinaton", KNOWN), Some("destination"));
        assert_eq!(nearest("field", KNOWN), Some("fields"));
        assert_eq!(nearest("lnik", KNOWN), Some("link"));
        assert_eq!(nearest("LINK", KNOWN), Some("link"));
        assert_eq!(nearest("contineu", KNOWN), Some("continue"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("queue", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
    }
}
