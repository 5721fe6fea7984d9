// What elements in .tsx files become; the build puts it where they are, under names that no variable has.
export { Fragment as jsxFragment, h as jsxElement } from "preact";
