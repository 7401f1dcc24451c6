// A few choices side by side, of which one holds.

interface Props<T> {
  label: string;
  now: T;
  options: (readonly [value: T, text: string])[];
  choose: (to: T) => void;
}

export function Switch<T>({ label, now, options, choose }: Props<T>) {
  return (
    <div class="seg" role="group" aria-label={label}>
      {options.map(([value, text]) => (
        <button type="button" aria-pressed={value === now} onClick={() => choose(value)}>
          {text}
        </button>
      ))}
    </div>
  );
}
