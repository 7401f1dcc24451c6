// Rows that `j` and `k` move through: whatever in them takes the focus carries `data-row`.

export function moveRow(by: -1 | 1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")].filter((it) => it.offsetParent !== null);
  const from = rows.indexOf(document.activeElement as HTMLElement);
  const to = from < 0 ? (by > 0 ? 0 : rows.length - 1) : from + by;
  rows[to]?.focus();
}
