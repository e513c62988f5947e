// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds `unsafe` in code, and the comment that justifies it.
//!
//! The file is read as tokens, as by the compiler: `unsafe` in strings and comments does not count, and `unsafe` in
//! macro arguments does. Comments are no tokens, except for doc comments. They are looked for above the lines in which
//! the word, and the statements that contain it, begin.
//!
//! Source: The Rust reference, "Tokens" and "The `unsafe` keyword"; clippy's `undocumented_unsafe_blocks` for where a
//! comment may be.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, LexError, Spacing, TokenStream, TokenTree};
use serde::Serialize;

use super::obligations::is_name;

/// The kind of item or expression that an `unsafe` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    /// A block, whose author must justify it.
    Block,
    /// An implementation of an unsafe trait.
    Impl,
    /// An attribute that the compiler cannot check.
    Attribute,
    /// A function, whose callers must justify their calls.
    Function,
    /// A method that a trait requires, whose contract is the trait's.
    Method,
    /// A trait, whose implementors must justify their implementations.
    Trait,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Impl => "impl",
            Self::Attribute => "attribute",
            Self::Function => "fn",
            Self::Method => "method",
            Self::Trait => "trait",
        }
    }
}

/// One `unsafe` and its justification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) line: usize,
    pub(super) role: Role,
    /// The text of its comment; for a function or a trait, of its section `# Safety`.
    pub(super) reason: Option<String>,
    /// The obligations that the text names. For a method, those of the implementation that contains it, or else of its
    /// own section, since the implementation of a safe trait has no comment.
    pub(super) obligations: Vec<String>,
}

/// Returns every `unsafe` of a file.
pub(super) fn scan(text: &str) -> Result<Vec<Found>, LexError> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    walk(TokenStream::from_str(text)?, &[], None, &mut |role, place| {
        let reason = match role {
            Role::Function | Role::Trait => section(&place.documentation),
            Role::Method => section(&place.documentation).or_else(|| Some("(the contract of the trait)".to_owned())),
            _ => place.anchors.iter().find_map(|anchor| comment_above(&lines, *anchor)),
        };
        let of_impl = place.trait_impl.filter(|_| role == Role::Method).and_then(|line| comment_above(&lines, line));
        let obligations = of_impl.as_deref().or(reason.as_deref()).map(named).unwrap_or_default();
        found.push(Found { line: place.anchors[0], role, reason, obligations });
    });
    Ok(found)
}

/// The location of a word.
struct Place {
    /// Its line, and the first lines of the parts that contain it, innermost first. A comment may be above each.
    anchors: Vec<usize>,
    /// The documentation of the item that contains it.
    documentation: Vec<String>,
    /// The first line of the trait implementation whose item it is.
    trait_impl: Option<usize>,
}

/// The statement, item, argument or field that is being read.
#[derive(Default)]
struct Part {
    /// Its first line, attributes included.
    line: Option<usize>,
    documentation: Vec<String>,
    /// Its first line, if it is an implementation.
    impl_line: Option<usize>,
    /// Whether it implements a trait.
    is_for: bool,
}

/// Walks a group's tokens. `outer` are the first lines of the parts that contain the group, innermost first. If
/// `trait_impl` is set, the group is the body of a trait implementation that begins in that line.
fn walk(stream: TokenStream, outer: &[usize], trait_impl: Option<usize>, each: &mut impl FnMut(Role, Place)) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut part = Part::default();
    for (index, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        let begun = *part.line.get_or_insert(line);
        let anchors: Vec<usize> = [line, begun].into_iter().chain(outer.iter().copied()).collect();
        part.impl_line = part.impl_line.or(is_word(token, "impl").then_some(begun));
        part.is_for |= part.impl_line.is_some() && is_word(token, "for");
        if let Some(role) = role_at(&tokens[index..]) {
            let role = if role == Role::Function && trait_impl.is_some() { Role::Method } else { role };
            each(role, Place { anchors: anchors.clone(), documentation: part.documentation.clone(), trait_impl });
        }
        if let TokenTree::Group(group) = token {
            part.documentation.extend(documentation(group));
            let is_body = group.delimiter() == Delimiter::Brace;
            // A comment outside a block does not justify what is in it.
            let inner: &[usize] = if is_body { &[] } else { &anchors[1..] };
            walk(group.stream(), inner, part.impl_line.filter(|_| is_body && part.is_for), each);
        }
        if ends_part(token, tokens.get(index + 1)) {
            // A comma may also be one between type parameters.
            let goes_on = matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
            let (impl_line, is_for) = (part.impl_line.filter(|_| goes_on), goes_on && part.is_for);
            part = Part { impl_line, is_for, ..Part::default() };
        }
    }
}

/// Returns the line of documentation in an attribute `[doc = "…"]`, which is how the compiler reads `///` comments.
fn documentation(attribute: &Group) -> Option<String> {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(text)] if name == "doc" => {
            Some(text.to_string().trim_matches('"').trim().to_owned())
        }
        _ => None,
    }
}

/// Returns what the `unsafe` at the beginning of these tokens makes. The type of a function pointer makes nothing.
fn role_at(tokens: &[TokenTree]) -> Option<Role> {
    if !is_word(tokens.first()?, "unsafe") {
        return None;
    }
    let mut rest = tokens[1..].iter();
    let next = rest.next()?;
    match next {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return Some(Role::Block),
        TokenTree::Group(_) => return Some(Role::Attribute),
        _ if is_word(next, "impl") => return Some(Role::Impl),
        _ if is_word(next, "trait") => return Some(Role::Trait),
        _ => {}
    }
    let mut after = std::iter::once(next).chain(rest).skip_while(|token| !is_word(token, "fn")).skip(1);
    matches!(after.next(), Some(TokenTree::Ident(_))).then_some(Role::Function)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Returns whether the next token begins a new part: after `;` and `,`, and after a block that is not part of an
/// expression.
fn ends_part(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    match token {
        TokenTree::Punct(punct) => matches!(punct.as_char(), ';' | ',') && punct.spacing() == Spacing::Alone,
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let goes_on = match next {
                Some(TokenTree::Punct(punct)) => punct.as_char() != '#',
                Some(TokenTree::Ident(ident)) => ident == "else" || ident == "as",
                _ => false,
            };
            !goes_on
        }
        _ => false,
    }
}

/// Returns the whole comment above a line (counted from 1) that begins with `SAFETY:`. Attributes may be in between.
fn comment_above(lines: &[&str], line: usize) -> Option<String> {
    let above = lines[..line - 1].iter().rev().map(|line| line.trim());
    let block: Vec<&str> = above.take_while(|line| line.starts_with("//") || line.starts_with("#[")).collect();
    let mut text = block.into_iter().rev().skip_while(|line| !line.contains("SAFETY:"));
    let first = text.next()?.split_once("SAFETY:")?.1.trim().to_owned();
    let rest = text.filter_map(|line| line.strip_prefix("//")).map(str::trim);
    Some(std::iter::once(first.as_str()).chain(rest).collect::<Vec<_>>().join(" ").trim().to_owned())
}

/// Returns the section `# Safety` of a documentation.
fn section(documentation: &[String]) -> Option<String> {
    let mut text = documentation.iter().map(String::as_str).skip_while(|line| *line != "# Safety");
    text.next()?;
    let section: Vec<&str> = text.take_while(|line| !line.starts_with("# ")).filter(|line| !line.is_empty()).collect();
    (!section.is_empty()).then(|| section.join(" "))
}

/// Returns the obligations that a text names: `L` or `K` and a number.
fn named(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if is_name(word) && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Found {
        let mut found = scan(text).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_block_is_spoken_for_by_the_comment_above_its_statement() {
        let found =
            only("fn f() {\n    // SAFETY: It is alive\n    // (L11, L2).\n    let a = g(1, unsafe { h() })?;\n}\n");
        assert_eq!((found.line, found.role), (4, Role::Block));
        assert_eq!(found.reason.as_deref(), Some("It is alive (L11, L2)."));
        assert_eq!(found.obligations, ["L11", "L2"]);
    }

    #[test]
    fn or_above_the_block_itself_within_a_statement() {
        let found = only("fn f() {\n    g(\n        1,\n        // SAFETY: Yes.\n        unsafe { h() },\n    );\n}\n");
        assert_eq!(found.reason.as_deref(), Some("Yes."));
        let found = only("fn f() {\n    let a =\n        // SAFETY: Yes.\n        unsafe { h() };\n}\n");
        assert!(found.reason.is_some());
    }

    #[test]
    fn a_comment_about_something_else_does_not_speak_for_it() {
        let before = only("fn f() {\n    // SAFETY: Of another.\n    g();\n    unsafe { h() };\n}\n");
        assert_eq!(before.reason, None);
        let around = only("// SAFETY: Of the function.\nfn f() {\n    unsafe { h() };\n}\n");
        assert_eq!(around.reason, None);
        let after_a_block = only("fn f() {\n    // SAFETY: Of the condition.\n    if a {}\n    unsafe { h() };\n}\n");
        assert_eq!(after_a_block.reason, None);
    }

    #[test]
    fn what_a_macro_is_given_is_code_and_what_is_quoted_is_not() {
        let found =
            scan("m! {\n    // SAFETY: A.\n    a: unsafe { b() },\n    c: \"unsafe { }\", // unsafe { }\n}\n").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason.as_deref(), Some("A."));
    }

    #[test]
    fn functions_and_traits_say_what_their_users_must_hold() {
        let text = "/// F.\n///\n/// # Safety\n///\n/// `p` is valid (L6).\n#[inline]\npub(crate) unsafe fn f(p: *const u8) {}\n";
        let found = only(text);
        assert_eq!((found.role, found.reason.as_deref()), (Role::Function, Some("`p` is valid (L6).")));
        let behind = "/// T.\n///\n/// # Safety\n///\n/// Yes.\n#[diagnostic::on_unimplemented(\n    note = \"n\",\n)]\npub unsafe trait T {}\n";
        assert_eq!(only(behind).reason.as_deref(), Some("Yes."));
        assert_eq!(only("/// T.\nunsafe trait T {}\n").reason, None);
        assert_eq!(scan("struct S(unsafe extern \"C\" fn(*mut u8));").unwrap(), []);
    }

    #[test]
    fn a_method_that_a_trait_demands_has_the_traits_contract() {
        let roles = |text| scan(text).unwrap().into_iter().map(|found| found.role).collect::<Vec<_>>();
        assert_eq!(
            roles("unsafe impl<T: A, U> B<T, U> for S<T>\nwhere\n    T: C,\n{\n    unsafe fn f() {}\n}\n"),
            [Role::Impl, Role::Method]
        );
        assert_eq!(roles("impl S {\n    unsafe fn f() {}\n}\n"), [Role::Function]);
    }

    #[test]
    fn a_method_argues_from_what_its_implementation_does_or_from_its_own_section() {
        let found =
            scan("// SAFETY: Counted (L9).\nunsafe impl A for S\nwhere\n    A: B,\n{\n    unsafe fn f() {}\n}\n")
                .unwrap();
        assert_eq!(found[1].role, Role::Method);
        assert_eq!(found[1].obligations, ["L9"]);
        let text = "impl A for S {\n    /// # Safety\n    ///\n    /// As A says (L9).\n    unsafe fn f() {}\n}\n";
        let own = only(text);
        assert_eq!((own.role, own.reason.as_deref()), (Role::Method, Some("As A says (L9).")));
        assert_eq!(own.obligations, ["L9"]);
    }

    #[test]
    fn an_implementation_has_its_comment_behind_attributes() {
        let found = only("// SAFETY: No thread can tell.\n#[cfg(a)]\nunsafe impl Send for S {}\n");
        assert_eq!((found.role, found.reason.is_some()), (Role::Impl, true));
    }
}
