// Reads cases from standard input, evaluates each as Alpine would have it done, and writes what came of them.
"use strict";
const fs = require("node:fs");

const data = {
  open: true,
  count: 3,
  tab: "general",
  items: [{ title: "x" }],
  $refs: { input: { value: "typed", blur: () => "blurred" } },
  tell(...given) {
    return [this.count, ...given];
  },
};
const problems = [];
let evaluator;

global.window = global;
global.document = { addEventListener: (_name, start) => start() };
global.Element = class {
  setAttribute() {}
};
global.setTimeout = (action) => {
  try {
    action();
  } catch (problem) {
    problems.push(problem.message);
  }
};
global.localStorage = { getItem: (name) => (name === "known" ? "1" : null) };
global.location = { pathname: "/p", search: "?q", hash: "#h" };
global.getCurrentTab = () => null;
global.theme = (chosen = "auto") => ({ chosen });
global.Alpine = {
  closestDataStack: () => [data],
  setEvaluator: (given) => {
    evaluator = given;
  },
  mergeProxies: (scopes) =>
    new Proxy(
      {},
      {
        has: (_, name) => scopes.some((each) => Reflect.has(each, name)),
        get: (_, name) => (scopes.find((each) => Reflect.has(each, name)) ?? {})[name],
        set: (_, name, value) => Reflect.set(scopes.find((each) => Object.hasOwn(each, name)) ?? scopes.at(-1), name, value),
      },
    ),
};
require(process.argv[2]);

const answers = JSON.parse(fs.readFileSync(0, "utf8")).map(([expression, scope]) => {
  let value;
  problems.length = 0;
  evaluator({ dispatchEvent: (event) => event.type }, expression)((found) => {
    value = found;
  }, { scope, params: ["event"] });
  return problems.length ? { problem: problems[0] } : { value: value ?? null };
});
process.stdout.write(JSON.stringify(answers));
