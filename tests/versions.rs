//! The README's table says which versions work together, and its first row is this release.

const README: &str = include_str!("../README.md");
const WORKSPACE: &str = include_str!("../Cargo.toml");
const SEMCONV: &str = include_str!("../runtime/src/semconv.rs");

/// What stands in quotes after `key =` in this part of the workspace's manifest.
fn in_manifest(part: &str, key: &str) -> &'static str {
    let part = WORKSPACE.split_once(&format!("[{part}]")).expect("the part").1;
    let part = part.split("\n[").next().unwrap_or_default();
    let line = part.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    let line = line.unwrap_or_else(|| panic!("no `{key}` in the manifest"));
    let version = line.split_once("version = ").map_or(line, |(_, rest)| rest);
    version.split('"').nth(1).expect("a version in quotes")
}

fn now(column: &str) -> String {
    let of_package = |key| in_manifest("workspace.package", key);
    match column {
        "throughline" => {
            let version = of_package("version");
            version.rsplit_once('.').expect("three numbers").0.to_owned()
        }
        "Rust" => of_package("rust-version").to_owned(),
        "conventions" => {
            let release =
                SEMCONV.split_once("https://opentelemetry.io/schemas/").expect("a schema");
            format!("v{}", release.1.split('"').next().unwrap_or_default())
        }
        name => in_manifest("workspace.dependencies", name).to_owned(),
    }
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

#[test]
fn the_first_row_is_what_this_release_works_with() {
    let chapter = README.split_once("### Versions").expect("the chapter").1;
    let mut rows = chapter.lines().filter(|line| line.starts_with('|')).map(cells);
    let columns = rows.next().expect("a head");
    let first = rows.nth(1).expect("a row");
    assert_eq!(
        columns,
        [
            "throughline",
            "opentelemetry",
            "opentelemetry_sdk",
            "tracing-opentelemetry",
            "tracing",
            "conventions",
            "Rust",
        ]
    );
    let now: Vec<_> = columns.iter().map(|column| now(column)).collect();
    assert_eq!(first, now);
}
