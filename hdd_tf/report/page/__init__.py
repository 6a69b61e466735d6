"""The report as one page of HTML: `hdd-tf report RUNS --output=report.html`."""
