//! The frame of a report: one HTML page that needs nothing else, light or dark as the reader's system, readable at 390 pixels.

use super::plot::escape;

/// Colours by scheme, tables that become cards on a narrow screen, plots that keep the size of their text.
const STYLE: &str = "\
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#5c6670;--line:#d8dee4;--card:#f6f8fa;--open:#57606a;--yes:#0b6bcb;--band:#0b6bcb22;--inner:#0b6bcb44;--naive:#b35900;--alarm:#b3261e}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--ink:#e6eaef;--soft:#9aa4af;--line:#2b333c;--card:#171c23;--open:#9aa4af;--yes:#6cb6ff;--band:#6cb6ff22;--inner:#6cb6ff44;--naive:#e0a458;--alarm:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:16px}
h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2rem;border-top:1px solid var(--line);padding-top:1rem}h3{font-size:1rem;margin:1.2rem 0 .4rem;overflow-wrap:anywhere}
p,li{max-width:75ch}.soft{color:var(--soft);font-size:.9rem}
.alarm{border-left:4px solid var(--alarm);padding:.5rem .8rem;background:var(--card)}
.cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr))}
.cards>figure{margin:0;padding:10px;background:var(--card);border:1px solid var(--line);border-radius:8px}
figcaption{font-size:.9rem;overflow-wrap:anywhere}
.plot{display:block;width:100%;max-width:520px;height:auto}
.plot text{fill:var(--ink);font:11px system-ui,sans-serif}.plot .tick{fill:var(--soft);font-size:10px}
.zero{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.wide{stroke-width:2}.narrow{stroke-width:6;opacity:.35}
.open{stroke:var(--open)}.decided{stroke:var(--yes)}circle.open{fill:var(--open)}circle.decided{fill:var(--yes)}
.band{fill:var(--band)}.inner{fill:var(--inner)}.estimate{fill:none;stroke:var(--yes);stroke-width:1.5}
.crossed{stroke:var(--yes);stroke-width:1.5}.naive{stroke:var(--naive);stroke-width:1;stroke-dasharray:2 2}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}th.text,td.text{text-align:left;overflow-wrap:break-word}
details>summary{cursor:pointer;margin:.6rem 0}
@media (max-width:720px){table,tbody,tr,td{display:block}thead{display:none}
tr{border:1px solid var(--line);border-radius:8px;margin:0 0 12px;padding:6px 8px;background:var(--card)}
td,td.text{display:flex;gap:12px;justify-content:space-between;text-align:right;border:0;padding:3px 0}
td::before{content:attr(data-label);color:var(--soft);text-align:left;flex:none}td:empty{display:none}}
@media print{details>*{display:block}}";

/// A whole page.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"generator\" content=\"{}\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(crate::build()),
        escape(title)
    )
}

/// A table whose columns named in `text` are texts; each cell knows its column, for narrow screens.
pub fn table(head: &[&str], rows: &[Vec<String>], text: &[usize]) -> String {
    let class = |at: usize| if text.contains(&at) { " class=\"text\"" } else { "" };
    let mut out = String::from("<table>\n<thead><tr>");
    for (at, name) in head.iter().enumerate() {
        out += &format!("<th scope=\"col\"{}>{}</th>", class(at), escape(name));
    }
    out += "</tr></thead>\n<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let label = head.get(at).copied().unwrap_or_default();
            out += &format!("<td{} data-label=\"{}\">{}</td>", class(at), escape(label), escape(cell));
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n"
}

/// A paragraph of plain text.
pub fn paragraph(class: &str, text: &str) -> String {
    format!("<p class=\"{class}\">{}</p>\n", escape(text))
}
