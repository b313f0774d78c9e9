"""The look of pages: one style sheet, and the policy that allows it and nothing else.

Colours keep a contrast of 4.5 to their ground as text and 3 as marks, light and dark (WCAG 2.2, AA).
"""

from __future__ import annotations

import base64
import hashlib

SERIES = 7  # colours of a stack: six, and that of the others

_SHEET = """
:root{color-scheme:light dark;--ground:#f4f6f8;--card:#fff;--text:#1a2530;--soft:#546270;--line:#dde3e9;
--accent:#2a6099;--track:#e9eef3;--good:#1e7145;--bad:#b3261e;
--s0:#2a6099;--s1:#c26d12;--s2:#2f8557;--s3:#8a559f;--s4:#b3403e;--s5:#20808f;--s6:#74818d}
@media (prefers-color-scheme:dark){:root{--ground:#10161c;--card:#19222b;--text:#e5ecf2;--soft:#a3b2c0;--line:#2d3944;
--accent:#6faae2;--track:#26323d;--good:#6cc795;--bad:#f0918a;
--s0:#5b9bd8;--s1:#e39a4c;--s2:#5fb98a;--s3:#b98bcb;--s4:#e07f7c;--s5:#52b5c4;--s6:#94a1ad}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Liberation Sans",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main{max-width:1180px;margin:0 auto;padding:32px 24px 56px}
.whole{max-width:1720px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:18px;line-height:1.3;margin:40px 0 12px}
h3{font-size:15px;margin:0 0 10px}
p{margin:0 0 12px}
.soft{color:var(--soft)}
.lead{color:var(--soft);font-size:16px;margin:0 0 8px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:0 0 16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:12px;margin:0 0 16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px 12px;min-width:0}
.tile dt{color:var(--soft);font-size:13px;margin:0}
.tile dd{margin:2px 0 0}
.tile .big{font-size:24px;line-height:1.25;font-weight:650;letter-spacing:-.01em}
.tile.first .big{color:var(--accent)}
.tile .before{font-size:13px;color:var(--soft);margin-top:4px}
dl{margin:0}
.up{color:var(--good);font-weight:600}
.down{color:var(--bad);font-weight:600}
.wide{overflow-x:auto;margin:0 -20px;padding:0 20px}
.wide:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:7px 12px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
th{font-weight:600;color:var(--soft);font-size:13px;white-space:nowrap;vertical-align:bottom}
.t{min-width:17ch}
h1+.card{margin-top:16px}
tbody tr:last-child>*{border-bottom:0}
tbody tr:hover>*{background:color-mix(in srgb,var(--accent) 6%,transparent)}
.n{text-align:right;white-space:nowrap}
.k{white-space:nowrap}
.b{width:22%;min-width:96px}
.b svg{display:block;width:100%;height:14px;margin-top:4px}
.minus{color:var(--bad)}
td small{display:block;font-size:12px;line-height:1.35;color:var(--soft)}
td small.up{color:var(--good)}td small.down{color:var(--bad)}
.yes{color:var(--good)}.yes::after{content:" \\2713"}
.no{color:var(--bad)}
.note{color:var(--soft);font-size:14px;margin:12px 0 0}
.empty{color:var(--soft);margin:0}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;background:var(--track);
padding:2px 6px;border-radius:4px;-webkit-box-decoration-break:clone;box-decoration-break:clone}
summary{cursor:pointer;color:var(--accent);font-size:14px;padding:8px 0 4px}
.step td:first-child{padding-left:20px}.step2 td:first-child{padding-left:40px}
.sum>*{font-weight:650}
.chart{display:flex;gap:24px;flex-wrap:wrap;align-items:center}
.plot{flex:1 1 300px;min-width:0;display:flex}
.plot svg{display:block;overflow:visible}
.plot svg:last-child{flex:1;min-width:0}
.axis text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line)}.zero{stroke:var(--soft)}
.legend{list-style:none;margin:0;padding:0;font-size:14px;flex:0 1 auto;max-width:min(100%,380px)}
.legend li{display:flex;gap:8px;align-items:baseline;justify-content:space-between;padding:2px 0}
.legend svg{flex:none}.legend .t{flex:1}.legend .n{padding-left:16px}
.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}.s5{fill:var(--s5)}
.s6{fill:var(--s6)}.track{fill:var(--track)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 20px;font-size:14px}
.facts dt{color:var(--soft)}.facts dd{margin:0}
@media (max-width:560px){main{padding:20px 14px 40px}h1{font-size:23px}h2{margin-top:30px}.card{padding:14px}
.wide{margin:0 -14px;padding:0 14px}.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile{padding:11px 12px 9px}
.tile .big{font-size:18px}.tile.first{grid-column:1/-1}.tile.first .big{font-size:24px}
.b{min-width:64px}th,td{padding:6px 8px}.t{min-width:15ch}col{width:auto}.more{display:none}
.facts{gap:2px 12px}.legend{flex:1 1 100%;max-width:none}}
@media print{:root{color-scheme:light;--ground:#fff;--card:#fff;--text:#000;--soft:#444;--line:#bbb;--accent:#1d4d80;
--track:#eee;--good:#14532d;--bad:#8c1d18;--s0:#2a6099;--s1:#c26d12;--s2:#2f8557;--s3:#8a559f;--s4:#b3403e;
--s5:#20808f;--s6:#74818d}
@page{size:A4;margin:14mm 12mm}
body{font-size:10.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}
.card{border:0;padding:0;border-radius:0}.wide{overflow:visible;margin:0;padding:0}h2{margin-top:20pt}
h1{font-size:19pt}h2{font-size:13pt}table,.legend,.facts{font-size:8.5pt}th{font-size:8pt}code{font-size:8pt}
.tiles{grid-template-columns:repeat(5,1fr);gap:6pt}.tile{padding:6pt 8pt}.tile .big{font-size:13pt}
.tile.first{grid-column:auto}.tile dt,.tile .before{font-size:8pt}th,td{padding:3pt 5pt}.t{min-width:14ch}
col{width:auto}.plot{zoom:.8}.b{width:14%;min-width:40px}h2,h3,summary{break-after:avoid}tr,.tile,.chart,.together{break-inside:avoid}
thead{display:table-header-group}}
"""
SHEET = _SHEET.strip()
_DIGEST = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
