// Alpine's expressions, read here instead of by `new Function`: the console's Content-Security-Policy forbids eval.
//
// The theme writes its behaviour into attributes (`x-show="open"`). What those use is understood: literals, names, calls,
// members, operators, assignments, `if`, and functions of one name. Names lead to Alpine's data or to the few globals
// below, and members that lead out of there are refused. It must be loaded before Alpine starts.
"use strict";
(() => {
  const globals = {
    getCurrentTab: () => getCurrentTab,
    localStorage: () => localStorage,
    moveRecords: () => moveRecords,
    searchCommand: () => searchCommand,
    searchDropdown: () => searchDropdown,
    searchForm: () => searchForm,
    sortRecords: () => sortRecords,
    theme: () => theme,
    window: () => ({ location: window.location }),
  };
  const literals = { true: true, false: false, null: null, undefined };
  const refused = new Set(["__proto__", "constructor", "prototype", "ownerDocument", "defaultView", "view", "Function"]);
  // Members that an expression may write; its own data it may write anyway.
  const written = new Set(["href", "name", "value"]);
  const token = /\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_$][\w$]*)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(===|!==|==|!=|<=|>=|=>|&&|\|\||\?\?|\?\.|[-+*/%<>!=?:.,;()[\]{}]))/y;
  const escapes = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };
  const operators = [
    { "??": (a, b) => a() ?? b(), "||": (a, b) => a() || b() },
    { "&&": (a, b) => a() && b() },
    // The theme compares loosely where it means to.
    { "===": (a, b) => a() === b(), "!==": (a, b) => a() !== b(), "==": (a, b) => a() == b(), "!=": (a, b) => a() != b() },
    { "<": (a, b) => a() < b(), ">": (a, b) => a() > b(), "<=": (a, b) => a() <= b(), ">=": (a, b) => a() >= b() },
    { "+": (a, b) => a() + b(), "-": (a, b) => a() - b() },
    { "*": (a, b) => a() * b(), "/": (a, b) => a() / b(), "%": (a, b) => a() % b() },
  ];
  const unary = { "!": (a) => !a, "-": (a) => -a, "+": (a) => +a };

  function tokens(text) {
    const found = [];
    const end = text.trimEnd().length;
    token.lastIndex = 0;
    while (token.lastIndex < end) {
      const at = token.lastIndex;
      const match = token.exec(text);
      if (!match) throw new SyntaxError(`cannot read "${text.slice(at, at + 20)}"`);
      const [, number, name, string, sign] = match;
      if (number !== undefined) found.push({ value: Number(number) });
      else if (name !== undefined) found.push({ name });
      else if (string !== undefined) found.push({ value: unescaped(string.slice(1, -1)) });
      else found.push({ sign });
    }
    return found;
  }

  function unescaped(text) {
    return text.replace(/\\(?:u([\da-fA-F]{4})|(.))/gs, (_all, code, sign) =>
      code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[sign] ?? sign),
    );
  }

  function member(key) {
    const name = typeof key === "number" ? key : String(key);
    if (refused.has(name)) throw new TypeError(`${name} is out of reach of an expression`);
    return name;
  }

  function variable(name) {
    member(name);
    return {
      get(scope) {
        if (name in scope) return scope[name];
        if (Object.hasOwn(globals, name)) return globals[name]();
        throw new ReferenceError(`${name} is not defined`);
      },
      set(scope, value) {
        scope[name] = value;
        return value;
      },
      call(scope, values) {
        return name in scope ? scope[name](...values) : this.get(scope)(...values);
      },
    };
  }

  function property(owner, key, optional) {
    return {
      get(scope) {
        const found = owner.get(scope);
        return optional && (found === null || found === undefined) ? undefined : found[member(key.get(scope))];
      },
      set(scope, value) {
        const name = member(key.get(scope));
        if (!written.has(name)) throw new TypeError(`${name} is not written by an expression`);
        owner.get(scope)[name] = value;
        return value;
      },
      call(scope, values) {
        const found = owner.get(scope);
        return optional && (found === null || found === undefined)
          ? undefined
          : found[member(key.get(scope))](...values);
      },
    };
  }

  const constant = (value) => ({ get: () => value });

  class Reader {
    constructor(text) {
      this.tokens = tokens(text);
      this.at = 0;
    }

    sees(sign) {
      return this.tokens[this.at]?.sign === sign;
    }

    seesName(name) {
      return this.tokens[this.at]?.name === name;
    }

    takes(sign) {
      if (!this.sees(sign)) return false;
      this.at += 1;
      return true;
    }

    needs(sign) {
      if (!this.takes(sign)) throw new SyntaxError(`expected "${sign}"`);
    }

    // All statements up to the end, or to the brace that closes them; their value is the last one's.
    statements(closed) {
      const all = [];
      while (closed ? !this.sees("}") : this.at < this.tokens.length) {
        if (this.takes(";")) continue;
        if (all.length && !this.parted) throw new SyntaxError("expected an operator");
        all.push(this.statement());
      }
      return { get: (scope) => all.reduce((_last, each) => each.get(scope), undefined) };
    }

    // Whether what was read last may be followed by another statement.
    get parted() {
      const sign = this.tokens[this.at - 1]?.sign;
      return sign === ";" || sign === "}";
    }

    statement() {
      if (!this.seesName("if")) return this.expression();
      this.at += 1;
      this.needs("(");
      const condition = this.expression();
      this.needs(")");
      const then = this.body();
      let otherwise = constant(undefined);
      if (this.seesName("else")) {
        this.at += 1;
        otherwise = this.body();
      }
      return { get: (scope) => (condition.get(scope) ? then : otherwise).get(scope) };
    }

    body() {
      if (!this.takes("{")) return this.statement();
      const inside = this.statements(true);
      this.needs("}");
      return inside;
    }

    expression() {
      const left = this.choice();
      if (!this.takes("=")) return left;
      if (!left.set) throw new SyntaxError("cannot assign to this");
      const right = this.expression();
      return { get: (scope) => left.set(scope, right.get(scope)) };
    }

    choice() {
      const condition = this.binary(0);
      if (!this.takes("?")) return condition;
      const yes = this.expression();
      this.needs(":");
      const no = this.expression();
      return { get: (scope) => (condition.get(scope) ? yes : no).get(scope) };
    }

    binary(level) {
      if (level === operators.length) return this.prefixed();
      let left = this.binary(level + 1);
      for (;;) {
        const sign = this.tokens[this.at]?.sign;
        if (!sign || !Object.hasOwn(operators[level], sign)) return left;
        this.at += 1;
        const [a, b, apply] = [left, this.binary(level + 1), operators[level][sign]];
        left = { get: (scope) => apply(() => a.get(scope), () => b.get(scope)) };
      }
    }

    prefixed() {
      const sign = this.tokens[this.at]?.sign;
      if (!sign || !Object.hasOwn(unary, sign)) return this.reached();
      this.at += 1;
      const operand = this.prefixed();
      return { get: (scope) => unary[sign](operand.get(scope)) };
    }

    reached() {
      let found = this.primary();
      for (;;) {
        if (this.sees(".") || this.sees("?.")) {
          const optional = this.sees("?.");
          this.at += 1;
          const { name } = this.tokens[this.at] ?? {};
          if (name === undefined) throw new SyntaxError("expected a name");
          this.at += 1;
          found = property(found, constant(name), optional);
        } else if (this.takes("[")) {
          const key = this.expression();
          this.needs("]");
          found = property(found, key, false);
        } else if (this.takes("(")) {
          const [callee, values] = [found, this.list(")")];
          const apply = callee.call ? callee.call.bind(callee) : (scope, given) => callee.get(scope)(...given);
          found = { get: (scope) => apply(scope, values.map((each) => each.get(scope))) };
        } else {
          return found;
        }
      }
    }

    list(end) {
      const all = [];
      while (!this.takes(end)) {
        all.push(this.expression());
        if (!this.sees(end)) this.needs(",");
      }
      return all;
    }

    primary() {
      const here = this.tokens[this.at];
      if (here === undefined) throw new SyntaxError("it ends too early");
      this.at += 1;
      if ("value" in here) return constant(here.value);
      if (here.name !== undefined) return this.named(here.name);
      if (here.sign === "(") {
        const inside = this.expression();
        this.needs(")");
        return inside;
      }
      if (here.sign === "[") {
        const values = this.list("]");
        return { get: (scope) => values.map((each) => each.get(scope)) };
      }
      if (here.sign === "{") return this.object();
      throw new SyntaxError(`"${here.sign}" was not expected`);
    }

    named(name) {
      if (Object.hasOwn(literals, name)) return constant(literals[name]);
      if (!this.takes("=>")) return variable(name);
      member(name);
      const inside = this.expression();
      return { get: (scope) => (value) => inside.get(window.Alpine.mergeProxies([{ [name]: value }, scope])) };
    }

    object() {
      const members = [];
      while (!this.takes("}")) {
        const key = this.tokens[this.at];
        if (key === undefined || "sign" in key) throw new SyntaxError("expected a member's name");
        const name = member(key.name ?? key.value);
        this.at += 1;
        members.push([name, this.takes(":") ? this.expression() : variable(name)]);
        if (!this.sees("}")) this.needs(",");
      }
      return { get: (scope) => Object.fromEntries(members.map(([name, value]) => [name, value.get(scope)])) };
    }
  }

  const programs = new Map();

  function program(text) {
    if (!programs.has(text)) programs.set(text, new Reader(text).statements(false));
    return programs.get(text);
  }

  // As Alpine does: the page goes on, and the error is seen in the console.
  function report(error, expression) {
    error.message = `Alpine expression: ${error.message} in ${expression}`;
    setTimeout(() => {
      throw error;
    }, 0);
  }

  function give(receiver, result, scope, params) {
    if (typeof result === "function") give(receiver, result.apply(scope, params), scope, params);
    else if (result instanceof Promise) result.then(receiver);
    else receiver(result);
  }

  // Alpine puts its magics into the data of each component; only these two belong to the element itself.
  function own(element) {
    return {
      $el: element,
      $dispatch: (name, detail = {}) =>
        element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true })),
    };
  }

  function evaluator(element, expression) {
    const stack = [own(element), ...window.Alpine.closestDataStack(element)];
    let run;
    try {
      run = typeof expression === "function" ? null : program(expression);
    } catch (error) {
      report(error, expression);
      return () => {};
    }
    return (receiver = () => {}, { scope = {}, params = [] } = {}) => {
      const all = window.Alpine.mergeProxies([scope, ...stack]);
      try {
        give(receiver, run ? run.get(all) : expression.apply(all, params), all, params);
      } catch (error) {
        report(error, expression);
      }
    };
  }

  document.addEventListener("alpine:init", () => window.Alpine.setEvaluator(evaluator));

  // A style written as an attribute's text is refused like one in the page; the same through the object model is not.
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (String(name).toLowerCase() === "style" && this.style) this.style.cssText = value;
    else set.call(this, name, value);
  };

  if (window.htmx) Object.assign(window.htmx.config, { allowEval: false, includeIndicatorStyles: false });
})();
