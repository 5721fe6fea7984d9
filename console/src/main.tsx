import "uplot/dist/uPlot.min.css";
import "./css/base.css";
import "./css/shell.css";
import "./css/parts.css";
import "./css/pages.css";
import { render } from "preact";
import { App } from "./app";

render(<App />, document.getElementById("app")!);
