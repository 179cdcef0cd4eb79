//! The skeleton of the HTML reports: one file with style and script inline, that loads nothing from
//! anywhere. Light or dark as the reader's system is; every control works from the keyboard.

use std::fmt::Write;

/// A page under construction: blocks that are always shown, and sections that open and close.
///
/// Whatever in a page has the attribute `data-target`, such as the row of a table, opens the
/// section of that id when it is clicked, or when Enter or the space bar is pressed on it.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// An empty page with this title, in plain text.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// Adds HTML that is always shown, such as the table of results. Text in it must have been
    /// [escaped](escape).
    #[must_use]
    pub fn block(mut self, html: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{html}");
        self
    }

    /// Adds a section that is closed until its heading, or what has its id as `data-target`, is
    /// clicked. The heading is plain text, the id unique in the page (see [`id`]).
    #[must_use]
    pub fn section(self, id: &str, heading: &str, html: &str) -> Self {
        self.details("", id, heading, html)
    }

    /// Adds a section as [`section`](Self::section) does, open from the start.
    #[must_use]
    pub fn open_section(self, id: &str, heading: &str, html: &str) -> Self {
        self.details(" open", id, heading, html)
    }

    fn details(self, open: &str, id: &str, heading: &str, html: &str) -> Self {
        self.block(&details(open, id, "h2", heading, html))
    }

    /// Returns the whole document.
    pub fn render(&self) -> String {
        let Self { title, body } = self;
        let title = escape(title);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <h1>{title}</h1>\n{body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        )
    }
}

/// Returns a section within a section, closed as those of [`Page::section`] are. What has its id as
/// `data-target` opens the outer one too.
pub fn subsection(id: &str, heading: &str, html: &str) -> String {
    details("", id, "h3", heading, html)
}

fn details(open: &str, id: &str, level: &str, heading: &str, html: &str) -> String {
    let (id, heading) = (escape(id), escape(heading));
    let summary = format!("<summary><{level}>{heading}</{level}></summary>");
    format!("<details id=\"{id}\"{open}>{summary}\n{html}\n</details>")
}

/// Returns text as it must stand in HTML, also in an attribute in quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns an id made of the ASCII letters and digits of a text, in lower case, with a hyphen for
/// whatever is between them.
pub fn id(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// Classes that reports use: `good`, `bad`, `unsure` and `quiet` for cells and words, `number` for
/// cells that are right-aligned, `wide` around what may scroll sideways, and in drawings
/// `axis`, `grid`, and `c0` to `c9` for the colours of series.
const STYLE: &str = "\
:root { color-scheme: light dark; --text: #1d2329; --quiet: #5b6670; --back: #fff;
  --line: #d4dae0; --row: #eef3f8; --good: #11703b; --bad: #b3261e; --unsure: #8a5a00;
  --c0: #0b62b0; --c1: #c2410c; --c2: #14803c; --c3: #8b3fb8; --c4: #b4236b; --c5: #0e7c86;
  --c6: #8a6a00; --c7: #5b6670; --c8: #5148c9; --c9: #7a3b12; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e8ed; --quiet: #9aa6b2; --back: #14181c;
  --line: #39424b; --row: #20272e; --good: #58c98a; --bad: #ff8a80; --unsure: #f2b84b;
  --c0: #6db3f2; --c1: #ff9d6b; --c2: #62d08c; --c3: #cf9bf0; --c4: #ff8fbd; --c5: #5fd0da;
  --c6: #e0c04f; --c7: #9aa6b2; --c8: #a8a2ff; --c9: #d9a377; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back);
  margin: 1.5rem auto; padding: 0 1rem; max-width: 75rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; } h3 { font-size: 1rem; }
summary h2, summary h3 { display: inline; }
table { border-collapse: collapse; margin: .75rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left;
  vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.unsure { color: var(--unsure); } .quiet { color: var(--quiet); }
td.good, td.bad, td.unsure, td.quiet { white-space: nowrap; }
.wide { overflow-x: auto; }
pre { background: var(--row); padding: .6rem; overflow-x: auto; }
[data-target] { cursor: pointer; } [data-target]:hover { background: var(--row); }
:focus-visible { outline: 2px solid var(--c0); outline-offset: -2px; }
details { border-top: 1px solid var(--line); padding: .6rem 0; }
details details { margin-left: 1rem; padding: .3rem 0; }
summary { cursor: pointer; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--text); font-size: 12px; }
.axis { stroke: var(--quiet); fill: none; } .grid { stroke: var(--line); fill: none; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.c8 { --c: var(--c8); } .c9 { --c: var(--c9); }
.line { stroke: var(--c); fill: none; stroke-width: 1.5; } .fill { fill: var(--c); }
.box { stroke: var(--c); fill: var(--c); fill-opacity: .2; }
@media print { details > * { display: block; } }
";

/// Opens the section that an element names; also the one in the address of the page.
const SCRIPT: &str = "\
'use strict';
const show = (id) => {
  const section = id && document.getElementById(id);
  if (!section) return;
  for (let at = section; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
  section.scrollIntoView();
  const summary = section.querySelector('summary');
  if (summary) summary.focus({ preventScroll: true });
};
for (const control of document.querySelectorAll('[data-target]')) {
  control.tabIndex = 0;
  control.setAttribute('aria-controls', control.dataset.target);
  control.addEventListener('click', () => show(control.dataset.target));
  control.addEventListener('keydown', (event) => {
    if (event.target !== control || (event.key !== 'Enter' && event.key !== ' ')) return;
    event.preventDefault();
    show(control.dataset.target);
  });
}
show(decodeURIComponent(location.hash.slice(1)));
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_become_markup() {
        let text = "<script>alert(\"a\" & 'b')</script>";
        let escaped = "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt;";
        assert_eq!(escape(text), escaped);
        let page = Page::new(text).section("\"><b>", text, "<p>shown</p>").render();
        assert!(!page.contains("alert(\"") && !page.contains("<b>"), "{page}");
        assert_eq!(page.matches(escaped).count(), 3, "title, heading and section");
        assert!(page.contains("<p>shown</p>"));
    }

    #[test]
    fn sections_are_closed_unless_asked_and_have_their_ids() {
        let page = Page::new("a").block("<p>b</p>").section("c", "d", "e");
        let page = page.open_section("f", "g", "h").render();
        assert!(page.contains("<details id=\"c\"><summary><h2>d</h2></summary>\ne\n</details>"));
        assert!(page.contains("<details id=\"f\" open><summary><h2>g</h2></summary>\nh\n"));
        let inner = subsection("i", "j", "k");
        assert_eq!(inner, "<details id=\"i\"><summary><h3>j</h3></summary>\nk\n</details>");
        assert!(page.find("<p>b</p>").unwrap() < page.find("id=\"c\"").unwrap());
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = Page::new("a").section("b", "c", "d").render();
        for word in ["http", "//", " src", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn ids_have_letters_digits_and_hyphens() {
        assert_eq!(id("aws-lc in batches: 1024 bits"), "aws-lc-in-batches-1024-bits");
        assert_eq!(id("-a/b-"), "a-b");
    }
}
