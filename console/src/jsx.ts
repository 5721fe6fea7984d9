// What elements in .tsx files become; the build puts it where they are.
export { Fragment, h } from "preact";
