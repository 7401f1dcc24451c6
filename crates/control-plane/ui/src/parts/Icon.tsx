// Icons: 16 px outlines. They never stand alone; a word is beside each, or in its button's label.

const PATHS = {
  ok: "m3 8.5 3.2 3.2L13 4.8",
  warn: "M8 2.2 14.5 13.5h-13ZM8 6.6v3.2M8 11.8v.01",
  stop: "M5.3 2h5.4L14 5.3v5.4L10.7 14H5.3L2 10.7V5.3Zm.6 3.9 4.2 4.2m0-4.2-4.2 4.2",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2ZM8 4.6V8l2.3 1.5",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  run: "M4.8 3.2v9.6L12.6 8Z",
  flat: "M3 8h10",
  up: "M8 13V3.4M3.8 7.4 8 3.2l4.2 4.2",
  down: "M8 3v9.6M3.8 8.6 8 12.8l4.2-4.2",
  shield: "M8 1.8 13.3 4v3.6c0 3.2-2.2 5.4-5.3 6.6-3.1-1.2-5.3-3.4-5.3-6.6V4Z",
  copy: "M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3",
  more: "m4 6 4 4 4-4",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6ZM8 1v2M8 13v2M1 8h2M13 8h2M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6Z",
  system: "M2 3h12v8H2ZM5.5 13.5h5M8 11v2.5",
  find: "M7 2.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 1 0 0-8.8ZM10.4 10.4l3 3",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  file: "M4 2h5l3.5 3.5V14H4ZM9 2v3.5h3.5",
  share: "M8 10V2M5 5l3-3 3 3M3 9v5h10V9",
  close: "m3.5 3.5 9 9M12.5 3.5l-9 9",
  draft: "M3 13l.6-2.6L10.8 3l2 2-7.3 7.3Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="i" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
