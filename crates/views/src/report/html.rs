//! The report as one HTML page: no script, nothing from elsewhere, everything escaped.

use std::collections::BTreeMap;

use super::chart::bars;
use super::escape::escape;
use super::model::{NOT_VERIFIED, Report, Standing};
use super::sections;

const STYLE: &str = "\
:root{color-scheme:light}body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:72rem;\
margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;\
border-bottom:1px solid #d0d7de;padding-bottom:.2rem}p{margin:.25rem 0;color:#57606a}table{border-collapse:collapse;\
width:100%;font-size:13px}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #eaeef2;vertical-align:top;\
max-width:22rem;overflow-wrap:break-word}th{background:#f6f8fa;vertical-align:bottom}th.n,td.n{text-align:right;\
font-variant-numeric:tabular-nums}.to{white-space:nowrap}figure{margin:1rem 0}\
figcaption{font-weight:600;margin-bottom:.25rem}svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}\
.banner{position:fixed;top:0;left:0;right:0;background:#b42318;color:#fff;\
font-weight:700;text-align:center;padding:.25rem;print-color-adjust:exact}svg rect{fill:#3b6ea5}svg text{fill:#1b1f24}.wide{overflow-x:auto}@media print{body{margin:0;max-width:none}\
h2{break-after:avoid}tr,figure{break-inside:avoid}.wide{overflow:visible}table{font-size:10px}}";

/// The whole page.
pub fn page(report: &Report) -> String {
    let title = escape(&sections::title(report));
    let standing = escape(&sections::standing(report));
    let banner = match report.standing {
        Standing::Verified(_) => String::new(),
        // Fixed, so that it stands on every page that is printed.
        Standing::NotVerified(_) => format!("<div class=\"banner\">{NOT_VERIFIED}</div>"),
    };
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         {banner}<h1>{title}</h1><p>{standing}</p><p>Made by sluis at {}. It holds no identifier, value or pseudonym.</p>\n",
        escape(&report.made_at)
    );
    html.push_str(&bars(
        "Values per month",
        &sum(report.months.iter().map(|m| (&m.month, m.amount.values))),
    ));
    html.push_str(&bars(
        "Values per chain",
        &sum(report.chains.iter().map(|c| (&c.chain, c.amount.values))),
    ));
    html.push_str(&bars(
        "Refused attempts by reason",
        &sum(report.refusals.iter().map(|r| (&r.reason, r.times))),
    ));
    for section in sections::all(report) {
        html.push_str(&table(&section, report));
    }
    html.push_str("</body></html>\n");
    html
}

fn sum<'a>(parts: impl Iterator<Item = (&'a String, u64)>) -> Vec<(String, u64)> {
    let mut sums = BTreeMap::new();
    for (name, value) in parts {
        let sum: &mut u64 = sums.entry(name.clone()).or_insert(0);
        *sum = sum.saturating_add(value);
    }
    sums.into_iter().collect()
}

fn table(section: &sections::Section, report: &Report) -> String {
    let mut html = format!("<h2>{}</h2>\n", escape(&section.heading(report)));
    if section.rows.is_empty() {
        return html + "<p>none</p>\n";
    }
    html.push_str("<div class=\"wide\"><table><thead><tr>");
    for (column, heading) in section.headings.iter().enumerate() {
        let numbers = section
            .rows
            .iter()
            .all(|row| row.get(column).is_some_and(|cell| is_number(cell)));
        html.push_str(&format!("<th{}>{}</th>", class(numbers), escape(heading)));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in &section.rows {
        html.push_str("<tr>");
        for cell in row {
            // An arrow is not broken at the end of a line.
            let text = escape(cell).replace("-&gt;", "<span class=\"to\">-&gt;</span>");
            html.push_str(&format!("<td{}>{text}</td>", class(is_number(cell))));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

fn class(number: bool) -> &'static str {
    if number { " class=\"n\"" } else { "" }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit())
}
