// A state in one or two words, with its icon.

import { Icon, type IconName } from "./Icon";
import { Word } from "./Word";

export type Tone = "" | "better" | "worse" | "warn" | "alarm" | "plain";

export function Pill({ tone = "", icon, text, title }: { tone?: Tone; icon?: IconName; text: string; title?: string }) {
  return (
    <span class={tone ? `pill ${tone}` : "pill"} title={title}>
      {icon && <Icon name={icon} />}
      <Word text={text} />
    </span>
  );
}
