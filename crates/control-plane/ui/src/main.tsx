// Starts the page: theme, addresses, keys, and the component that the address asks for.

import "./styles/main.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { spoken } from "./announce";
import { wanted } from "./api/token";
import { shown, connection, startTicking } from "./freshness";
import { onKey, startKeys } from "./keys";
import { lazy } from "./lazy";
import { Heading } from "./parts/Heading";
import { go, path, route, startRouter } from "./router";
import { opened } from "./shell/dialogs";
import { Top } from "./shell/Top";
import { nextTheme, startTheme } from "./theme";

const overview = () => import("./pages/overview");
const later = () => import("./pages/experiment/later");
const Experiments = lazy(() => overview().then((it) => it.Experiments));
const Experiment = lazy(() => overview().then((it) => it.Experiment));
const Planner = lazy(() => import("./pages/planner/Planner").then((it) => it.Planner));
const Status = lazy(() => overview().then((it) => it.Status));
const Versions = lazy(() => later().then((it) => it.Versions));
const HowToRead = lazy(() => later().then((it) => it.HowToRead));
const Find = lazy(() => later().then((it) => it.Find));
const KeyList = lazy(() => later().then((it) => it.KeyList));
const SignIn = lazy(() => later().then((it) => it.SignIn));

function Page() {
  const it = route.value;
  switch (it.page) {
    case "experiments":
      return <Experiments />;
    case "experiment":
      return <Experiment key={it.id} id={it.id} />;
    case "versions":
      return <Versions key={path.value} id={it.id} from={it.from} to={it.to} />;
    case "plan":
      return <Planner />;
    case "status":
      return <Status rest={it.rest} />;
    case "missing":
      return <Missing />;
  }
}

function Missing() {
  return (
    <div class="in">
      <Heading title="Nothing is here">
        <span>
          No page has the address <span class="mono">{path.value}</span>. <a href="/experiments">See all experiments</a>
        </span>
      </Heading>
    </div>
  );
}

function App() {
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Top />
      <main id="main" tabIndex={-1}>
        {wanted.value === null ? <Page /> : <SignIn />}
      </main>
      <div class="vh" aria-live="polite">
        {spoken}
      </div>
      {opened.value === "find" && <Find />}
      {opened.value === "keys" && <KeyList />}
      {opened.value === "how" && <HowToRead />}
    </>
  );
}

/** A page that replaces another starts at its top for those who use a keyboard, too. */
function moveFocus(): void {
  let before = path.peek();
  effect(() => {
    if (path.value === before) return;
    before = path.value;
    shown.value = null;
    connection.value = null;
    opened.value = null;
    // After a dialog that led here has closed, which would take the focus back.
    requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
  });
}

startTheme();
startRouter();
startKeys();
startTicking();
onKey("/", () => (opened.value = "find"));
onKey("?", () => (opened.value = "keys"));
onKey("t", nextTheme);
onKey("g e", () => go("/experiments"));
onKey("g p", () => go("/plan"));
onKey("g s", () => go("/status"));
const app = document.getElementById("app");
if (app) render(<App />, app);
moveFocus();
