//! The script of the page: the ES modules in `js/` as one module.

/// The modules, each after those that it imports.
const MODULES: &[&str] = &[
    include_str!("js/data.js"),
    include_str!("js/words.js"),
    include_str!("js/model.js"),
    include_str!("js/view.js"),
    include_str!("js/draw.js"),
    include_str!("js/frame.js"),
    include_str!("js/offsets.js"),
    include_str!("js/strip.js"),
    include_str!("js/record.js"),
    include_str!("js/lanes.js"),
    include_str!("js/space.js"),
    include_str!("js/cluster.js"),
    include_str!("js/inspect.js"),
    include_str!("js/search.js"),
    include_str!("js/keys.js"),
    include_str!("js/main.js"),
];

/// All modules in one scope, without imports and exports. The top-level names of a module are
/// therefore unique among all modules.
pub(super) fn script() -> String {
    let mut script = String::new();
    for module in MODULES {
        for line in module.lines().filter(|line| !line.starts_with("import ")) {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn modules_share_a_scope_without_sharing_names() {
        let script = script();
        assert!(!script.contains("\nexport ") && !script.contains("\nimport "));
        // The script is part of an HTML file.
        assert!(!script.contains("</script"));
        let mut names = BTreeSet::new();
        for line in script.lines() {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let rest = ["function ", "const ", "let ", "class "];
            let Some(rest) = rest.iter().find_map(|word| line.strip_prefix(word)) else { continue };
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
            assert!(names.insert(name), "{name:?} is defined twice");
        }
        assert!(names.len() > 20);
    }
}
