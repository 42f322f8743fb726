//! Makes `<`, `<=`, `>` and `>=` fail where a fact is absent.
//!
//! In minijinja what is undefined is less than everything: `session.duration < 60` would hold for every login, which has no
//! session. So a condition is written out anew with each such comparison asking first whether both sides are there.

use std::fmt::Write as _;

use minijinja::Error;
use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::machinery::parse_expr;

/// The condition, guarded.
pub(super) fn guarded(source: &str) -> Result<String, Error> {
    let mut written = String::with_capacity(source.len() * 2);
    write(&parse_expr(source)?, &mut written);
    Ok(written)
}

fn write(expr: &Expr<'_>, to: &mut String) {
    match expr {
        Expr::Var(var) => to.push_str(var.id),
        Expr::Const(constant) => to.push_str(&literal(&constant.value)),
        Expr::Slice(slice) => {
            write(&slice.expr, to);
            to.push('[');
            for (at, part) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
                if at > 0 {
                    to.push(':');
                }
                part.iter().for_each(|part| write(part, to));
            }
            to.push(']');
        }
        Expr::UnaryOp(unary) => {
            to.push_str(match unary.op {
                UnaryOpKind::Not => "(not ",
                UnaryOpKind::Neg => "(-",
            });
            write(&unary.expr, to);
            to.push(')');
        }
        Expr::BinOp(op) => pair(&op.left, operator(op.op), &op.right, is_ordering(op.op), to),
        Expr::Compare(chain) => {
            // `1 < x < 5` is `1 < x and x < 5`.
            to.push('(');
            let mut left = &chain.expr;
            for (at, link) in chain.ops.iter().enumerate() {
                if at > 0 {
                    to.push_str(" and ");
                }
                let (operator, orders) = comparison(link.op);
                pair(left, operator, &link.expr, orders, to);
                left = &link.expr;
            }
            to.push(')');
        }
        Expr::IfExpr(choice) => {
            to.push('(');
            write(&choice.true_expr, to);
            to.push_str(" if ");
            write(&choice.test_expr, to);
            if let Some(otherwise) = &choice.false_expr {
                to.push_str(" else ");
                write(otherwise, to);
            }
            to.push(')');
        }
        Expr::Filter(filter) => {
            to.push('(');
            filter.expr.iter().for_each(|expr| write(expr, to));
            let _ = write!(to, "|{}", filter.name);
            arguments(&filter.args, to);
            to.push(')');
        }
        Expr::Test(test) => {
            to.push('(');
            write(&test.expr, to);
            let _ = write!(to, " is {}", test.name);
            arguments(&test.args, to);
            to.push(')');
        }
        Expr::GetAttr(attribute) => {
            write(&attribute.expr, to);
            let _ = write!(to, ".{}", attribute.name);
        }
        Expr::GetItem(item) => {
            write(&item.expr, to);
            to.push('[');
            write(&item.subscript_expr, to);
            to.push(']');
        }
        Expr::Call(call) => {
            write(&call.expr, to);
            to.push('(');
            list(&call.args, to);
            to.push(')');
        }
        Expr::List(items) => {
            to.push('[');
            for item in &items.items {
                write(item, to);
                to.push(',');
            }
            to.push(']');
        }
        Expr::Tuple(items) => {
            to.push('(');
            for item in &items.items {
                write(item, to);
                to.push(',');
            }
            to.push(')');
        }
        Expr::Map(map) => {
            to.push('{');
            for (key, value) in map.keys.iter().zip(&map.values) {
                write(key, to);
                to.push(':');
                write(value, to);
                to.push(',');
            }
            to.push('}');
        }
    }
}

/// Two sides and what stands between them; of an ordering both must be there.
fn pair(left: &Expr<'_>, operator: &str, right: &Expr<'_>, orders: bool, to: &mut String) {
    to.push('(');
    if orders {
        for side in [left, right].into_iter().filter(|side| !matches!(side, Expr::Const(_))) {
            to.push('(');
            write(side, to);
            to.push_str(") is defined and ");
        }
    }
    write(left, to);
    let _ = write!(to, " {operator} ");
    write(right, to);
    to.push(')');
}

fn arguments(args: &[CallArg<'_>], to: &mut String) {
    if !args.is_empty() {
        to.push('(');
        list(args, to);
        to.push(')');
    }
}

fn list(args: &[CallArg<'_>], to: &mut String) {
    for argument in args {
        let expr = match argument {
            CallArg::Pos(expr) => expr,
            CallArg::Kwarg(name, expr) => {
                let _ = write!(to, "{name}=");
                expr
            }
            CallArg::PosSplat(expr) => {
                to.push('*');
                expr
            }
            CallArg::KwargSplat(expr) => {
                to.push_str("**");
                expr
            }
        };
        write(expr, to);
        to.push(',');
    }
}

/// A constant as it can be read again: as JSON, which the language's literals are.
fn literal(value: &minijinja::Value) -> String {
    match value.is_none() || value.is_undefined() {
        true => "none".to_owned(),
        false => serde_json::to_string(value).unwrap_or_else(|_| value.to_string()),
    }
}

fn is_ordering(op: BinOpKind) -> bool {
    matches!(op, BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte)
}

fn operator(op: BinOpKind) -> &'static str {
    match op {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::ScAnd => "and",
        BinOpKind::ScOr => "or",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        BinOpKind::In => "in",
    }
}

fn comparison(op: CompareOpKind) -> (&'static str, bool) {
    match op {
        CompareOpKind::Eq => ("==", false),
        CompareOpKind::Ne => ("!=", false),
        CompareOpKind::Lt => ("<", true),
        CompareOpKind::Lte => ("<=", true),
        CompareOpKind::Gt => (">", true),
        CompareOpKind::Gte => (">=", true),
        CompareOpKind::In => ("in", false),
        CompareOpKind::NotIn => ("not in", false),
    }
}
