"""What the page of a report adds to the style sheet of all pages."""

from capc.job.rendering.style import STYLE

AUDIT_STYLE = (
    STYLE
    + """
:root { --good: #0b5d2a; --good-band: #e6f4ea; --bad: #9b1c1c; --bad-band: #fde8e8; --open: #6b4a00;
  --open-band: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --good: #b5efc6; --good-band: #12351f; --bad: #ffc1c1;
  --bad-band: #4a1616; --open: #ffe3a3; --open-band: #43330b; } }
.verdict { font-weight: 600; padding: .05rem .45rem; border-radius: .3rem; white-space: nowrap; }
.good { color: var(--good); background: var(--good-band); }
.bad { color: var(--bad); background: var(--bad-band); }
.open { color: var(--open); background: var(--open-band); }
.plain { color: var(--soft); background: var(--band); }
.banner.good, .banner.bad { border-color: currentColor; }
section.question, section.claim, section.statement { border-left: .25rem solid var(--line); padding-left: .9rem;
  margin: 1.25rem 0; }
section.failed { border-left-color: var(--bad); }
h4 { margin: 1rem 0 .1rem; font-size: .95rem; } h5 { margin: .75rem 0 .1rem; font-size: .9rem; }
.sentence { margin: .25rem 0; }
code { font-size: .88em; }
details { margin: .4rem 0; }
summary { font-weight: 500; }
ul.reasons { color: var(--bad); margin: .25rem 0; }
.columns { columns: 14rem; padding-left: 1.1rem; font-size: .9rem; }
th a { white-space: nowrap; }
th a[href^="#question"], td a { white-space: normal; }
details th, details td { padding: .25rem .5rem; }
@media (max-width: 40rem) { th, td { padding: .2rem .35rem; }
  dl { grid-template-columns: minmax(5rem, 7rem) 1fr; }
  section.question, section.claim, section.statement { padding-left: .6rem; } }
@media print { section.question, section.claim { break-inside: auto; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .verdict { border: 1px solid currentColor; } }
"""
)
