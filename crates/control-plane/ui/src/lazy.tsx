// A page that is loaded when it is first shown.

import { signal, useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Skeleton } from "./parts/Skeleton";
import { Failure } from "./parts/Failure";

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | null>(null);
  return function Lazy(props: P) {
    const failed = useSignal(false);
    useEffect(() => {
      if (loaded.peek() === null) load().then((it) => (loaded.value = it)).catch(() => (failed.value = true));
    }, []);
    const Page = loaded.value;
    if (Page) return <Page {...props} />;
    if (failed.value) {
      // A newer build has other file names, so an old page cannot load its parts any more.
      return <Failure title="This page could not be loaded." detail="Perhaps a newer build was installed meanwhile. Reload to get it." of={{ error: { value: null }, reload: () => location.reload() }} />;
    }
    return <Skeleton />;
  };
}
