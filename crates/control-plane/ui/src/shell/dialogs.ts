// Which dialog is open. One at a time.

import { signal } from "@preact/signals";

export const opened = signal<"find" | "keys" | "how" | null>(null);
