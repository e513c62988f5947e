// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The imports inside a crate: modules of one folder do not import each other in a circle.
//!
//! An import counts for the folder in which the ways of its two modules part: if `a/b.rs` names `a::c::d`, then `b` imports `c`
//! in the folder `a`. A module and those in its own folder may name each other.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, UseTree};

use super::{files, none};

/// The crates that are checked.
const CRATES: &[&str] =
    &["lab/base", "lab/toolchain", "lab/machine", "lab/cli", "guest/agent", "guest/random", "guest/sys", "guest/uapi"];

/// A module's place in its crate, from the root.
type Place = Vec<String>;

/// For each folder, the modules in it with those that each imports.
type Imports = BTreeMap<Place, BTreeMap<String, BTreeSet<String>>>;

/// The paths that a file names outside its tests.
#[derive(Default)]
struct Paths(Vec<Place>);

impl Paths {
    fn add(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.0.push(with(&name.ident)),
            UseTree::Rename(rename) => self.0.push(with(&rename.ident)),
            UseTree::Glob(_) => self.0.push(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add(tree, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // Modules with a body are tests. They may name anything.
        if item.content.is_none() {
            visit::visit_item_mod(self, item);
        }
    }
}

/// Returns the longest beginning of `path`, as named in the module `from`, that is a module.
fn module_of(path: &[String], from: &Place, modules: &BTreeSet<Place>) -> Option<Place> {
    let (mut place, mut rest) = match path.first()?.as_str() {
        "crate" => (Place::new(), &path[1..]),
        "self" => (from.clone(), &path[1..]),
        _ => (from.clone(), path),
    };
    while let Some(("super", after)) = rest.split_first().map(|(first, after)| (first.as_str(), after)) {
        place.pop();
        rest = after;
    }
    for name in rest {
        place.push(name.clone());
        if !modules.contains(&place) {
            place.pop();
            break;
        }
    }
    (place != *from && !place.is_empty()).then_some(place)
}

/// Returns the imports of a crate whose sources are given by place.
fn imports(sources: &BTreeMap<Place, String>) -> Imports {
    let modules: BTreeSet<_> = sources.keys().cloned().collect();
    let mut imports = Imports::new();
    for (from, text) in sources {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).expect("the file compiles"));
        for to in paths.0.iter().filter_map(|path| module_of(path, from, &modules)) {
            let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
            if let (Some(one), Some(other)) = (from.get(shared), to.get(shared)) {
                let folder = imports.entry(from[..shared].to_vec()).or_default();
                folder.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    imports
}

/// Returns a circle through `module`, if it imports itself by way of others.
fn circle(module: &str, folder: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let (mut ways, mut seen) = (vec![vec![module.to_owned()]], BTreeSet::new());
    while let Some(way) = ways.pop() {
        for next in folder.get(way.last()?).into_iter().flatten() {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == module {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

fn circles(sources: &BTreeMap<Place, String>) -> Vec<String> {
    let of_folder = |(place, folder): (Place, BTreeMap<String, BTreeSet<String>>)| {
        let found: Vec<_> = folder.keys().filter_map(|module| circle(module, &folder)).collect();
        found.into_iter().map(move |way| format!("{}: {}", place.join("/"), way.join(" -> ")))
    };
    imports(sources).into_iter().flat_map(of_folder).collect()
}

/// Returns the sources of a crate by place. `lib.rs` is the root, `main.rs` a module of its own beside it.
fn sources(of: &str) -> BTreeMap<Place, String> {
    let src = format!("{of}/src/");
    let place = |path: &str| {
        let inside = path.strip_prefix(&src).and_then(|path| path.strip_suffix(".rs")).expect("it is a source");
        if inside == "lib" { Place::new() } else { inside.split('/').map(str::to_owned).collect() }
    };
    files(&src, &[".rs"]).into_iter().map(|(path, text)| (place(&path), text)).collect()
}

#[test]
fn modules_do_not_import_each_other() {
    let found =
        CRATES.iter().flat_map(|of| circles(&sources(of)).into_iter().map(move |circle| format!("{of}/src/{circle}")));
    none(found.collect());
}

fn of(sources: &[(&str, &str)]) -> Vec<String> {
    let place = |path: &str| path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    circles(&sources.iter().map(|(path, text)| (place(path), (*text).to_owned())).collect())
}

#[test]
fn a_circle_is_found_in_its_folder() {
    let found = of(&[
        ("", "mod a; mod d;"),
        ("a", "mod b; mod c;"),
        ("a/b", "use super::c::{self, X};"),
        ("a/c", "fn f() { crate::a::b::g() }"),
        ("d", "use crate::a;"),
    ]);
    assert_eq!(found, ["a: b -> c -> b", "a: c -> b -> c"]);
}

#[test]
fn a_module_and_its_folder_are_no_circle_nor_are_tests() {
    let found = of(&[
        ("", "mod a; mod d;"),
        ("a", "mod b; use b::X;"),
        ("a/b", "use super::Y;"),
        ("d", "use crate::a::Y; #[cfg(test)] mod tests { use crate::a; }"),
        ("e", "fn f() -> d::X { d::g() } use crate::d;"),
    ]);
    assert_eq!(found, [""; 0]);
}
