//! What is kept of a Rust file: a small tree of expressions and the items around them, owned and serialisable, with byte
//! spans. Types are kept as written; `names` says what they mean.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::workspace::{FileId, Location, Span};

pub use super::bodies::{Bodies, Body};
pub use super::intern::{Name, Segments};
pub use super::outline::Outline;

macro_rules! index {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// Panics past 2^32 - 2: no file has that many.
            pub fn new(index: usize) -> Self {
                // One up, so that `Option` of it takes no more room.
                let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
                Self(number.expect("a file has fewer than 2^32 facts"))
            }

            pub const fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }
    };
}

index!(
    /// Index into [`RustFile::modules`].
    ModuleId
);
index!(
    /// Index into [`RustFile::functions`].
    FunctionId
);
index!(
    /// Index into [`RustFile::expressions`].
    ExprId
);

/// Facts of one Rust file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RustFile {
    pub file: FileId,
    /// The file's own module first, then its inline and declared modules.
    pub modules: Vec<Module>,
    pub uses: Vec<Use>,
    pub functions: Vec<Function>,
    pub types: Vec<TypeItem>,
    pub constants: Vec<Constant>,
    /// Macros invoked in item position: `tonic::include_proto!("orders")`.
    pub item_macros: Vec<ExprId>,
    /// Expressions outside of [`RustFile::bodies`]: parents stand before their children, in source order.
    pub expressions: Vec<Expr>,
    /// Bodies of functions that are parsed when they are first asked for.
    pub bodies: Bodies,
    /// Comments that start with `msvc:`, raw, without the slashes.
    pub comments: Vec<(Span, Box<str>)>,
    /// Written by a generator, by its own word (`@generated`, "DO NOT EDIT").
    pub generated: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Module {
    /// Empty for the file's own module, whose name its parent gives.
    pub name: Name,
    /// The enclosing module of this file.
    pub parent: Option<ModuleId>,
    /// `mod name;`: its items stand in another file.
    pub declared: bool,
    /// `#[path = "…"]`.
    pub path_attribute: Option<Box<str>>,
    /// Compiled for tests only.
    pub test: bool,
    pub span: Span,
}

/// One name brought into scope; groups are taken apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Use {
    pub module: ModuleId,
    pub path: Segments,
    /// The name in scope; `*` for a glob.
    pub name: Name,
    pub public: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Function {
    pub name: Name,
    pub module: ModuleId,
    /// Self type of the `impl`, or the trait whose default it is.
    pub owner: Option<Segments>,
    /// The trait that an `impl` is of.
    pub of_trait: Option<Segments>,
    pub parameters: Box<[Parameter]>,
    pub returns: Option<Type>,
    pub is_async: bool,
    pub public: bool,
    /// A test, or inside test-only code of this file.
    pub test: bool,
    pub attributes: Box<[Attribute]>,
    pub body: Option<ExprId>,
    pub name_span: Span,
    pub span: Span,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameter {
    /// `self`, the name, or the innermost name of a pattern such as `State(state)`.
    pub name: Option<Name>,
    pub ty: Type,
}

/// A type as written, references and `impl`/`dyn` peeled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// `["Arc"]`, `["reqwest", "Client"]`; empty for tuples, slices and what has no name.
    pub path: Segments,
    /// Generic arguments, elements of a tuple or a slice.
    pub arguments: Box<[Type]>,
}

/// A struct, enum, union, trait or type alias.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TypeItem {
    pub name: Name,
    pub module: ModuleId,
    pub kind: TypeKind,
    pub attributes: Box<[Attribute]>,
    pub test: bool,
    pub span: Span,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum TypeKind {
    /// Fields by name, `0`, `1`, … for tuple structs.
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    Alias(Type),
    Trait,
}

/// A variant of an enum: its name, and the types it holds; `fields` names them where they have names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variant {
    pub name: Name,
    pub types: Box<[Type]>,
    pub fields: Box<[Name]>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Field {
    pub name: Name,
    pub ty: Type,
    pub attributes: Box<[Attribute]>,
    pub span: Span,
}

/// A `const` or `static`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Constant {
    pub name: Name,
    pub module: ModuleId,
    pub ty: Type,
    pub value: Option<ExprId>,
    pub test: bool,
    pub span: Span,
}

/// `#[get("/items")]`: the path, and its arguments where they parse as expressions (`name = "x"` is an assignment).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attribute {
    pub path: Segments,
    pub arguments: Box<[ExprId]>,
    pub span: Span,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
    pub parent: Option<ExprId>,
    /// The innermost function around it.
    pub function: Option<FunctionId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ExprKind {
    Path(Segments),
    Literal(Literal),
    Call {
        callee: ExprId,
        arguments: Box<[ExprId]>,
    },
    Method {
        receiver: ExprId,
        name: Name,
        name_span: Span,
        arguments: Box<[ExprId]>,
        turbofish: Option<Box<Turbofish>>,
    },
    /// Arguments as far as they parse as expressions, `select!` arms or statements; literals only, otherwise.
    Macro {
        path: Segments,
        arguments: Box<[ExprId]>,
    },
    Field {
        base: ExprId,
        name: Name,
    },
    Index {
        base: ExprId,
        index: ExprId,
    },
    Await(ExprId),
    Try(ExprId),
    Reference(ExprId),
    /// `a = b`, also `name = value` in macros and attributes.
    Assign {
        left: ExprId,
        right: ExprId,
    },
    Binary {
        left: ExprId,
        right: ExprId,
    },
    Closure {
        parameters: Box<[Parameter]>,
        body: ExprId,
        is_async: bool,
    },
    Async(ExprId),
    Block(Box<[ExprId]>),
    /// `let`, also in conditions; `names` are all that the pattern binds.
    Let {
        names: Box<[Name]>,
        ty: Option<Box<Type>>,
        value: Option<ExprId>,
        otherwise: Option<ExprId>,
    },
    If {
        condition: ExprId,
        then: ExprId,
        otherwise: Option<ExprId>,
    },
    Match {
        on: ExprId,
        arms: Box<[ExprId]>,
    },
    /// One arm: what the pattern binds, its guard (or the text that the pattern asks for), its body. `variant` is the path of a pattern such as
    /// `Command::Serve(options)`, `Command::Serve { options }` or `Command::Serve`, whose parts `names` are; empty for others.
    Arm {
        names: Box<[Name]>,
        variant: Segments,
        guard: Option<ExprId>,
        body: ExprId,
    },
    Loop(ExprId),
    While {
        condition: ExprId,
        body: ExprId,
    },
    For {
        names: Box<[Name]>,
        over: ExprId,
        body: ExprId,
    },
    Struct {
        path: Segments,
        fields: Box<[(Name, ExprId)]>,
        rest: Option<ExprId>,
    },
    Return(Option<ExprId>),
    /// Tuples, arrays, unary operators, casts, ranges, breaks: just their parts.
    Other(Box<[ExprId]>),
}

/// `::<Vec<Item>>`: rare, so kept apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turbofish(pub Box<[Type]>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Literal {
    Str(Box<str>),
    Int(Option<u64>),
    Bool(bool),
    Other,
}

impl RustFile {
    /// Parses the function's body if nobody did yet.
    pub fn expr(&self, id: ExprId) -> &Expr {
        match Bodies::offset(id) {
            None => &self.expressions[id.index()],
            Some(_) => self.bodies.expr(id),
        }
    }

    /// The innermost function around an expression.
    pub fn function_of(&self, id: ExprId) -> Option<FunctionId> {
        match Bodies::offset(id) {
            None => self.expressions[id.index()].function,
            Some(_) => Some(self.bodies.of(id).function),
        }
    }

    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }

    /// Whether an item's attributes derive what is called so, of whatever crate: `Default`, `serde::Deserialize`.
    pub fn derives(&self, attributes: &[Attribute], name: &str) -> bool {
        let derives = attributes.iter().filter(|attribute| attribute.path.last().is_some_and(|last| &**last == "derive"));
        let mut derived = derives.flat_map(|attribute| &attribute.arguments);
        derived.any(|id| matches!(&self.expr(*id).kind, ExprKind::Path(path) if path.last().is_some_and(|last| &**last == name)))
    }

    pub fn location(&self, span: Span) -> Location {
        Location::new(self.file, span)
    }
}

impl ModuleId {
    /// The file's own module.
    pub fn root() -> Self {
        Self::new(0)
    }
}

impl Type {
    /// Last segment: `Client` of `reqwest::Client`.
    pub fn name(&self) -> Option<&str> {
        self.path.last().map(|name| &**name)
    }
}

impl ExprKind {
    /// Direct children, in source order.
    pub fn children(&self) -> Vec<ExprId> {
        let mut out = Vec::new();
        match self {
            Self::Path(_) | Self::Literal(_) => {}
            Self::Call { callee, arguments } => {
                out.push(*callee);
                out.extend(&**arguments);
            }
            Self::Method { receiver, arguments, .. } => {
                out.push(*receiver);
                out.extend(&**arguments);
            }
            Self::Macro { arguments, .. } => out.extend(&**arguments),
            Self::Field { base, .. } => out.push(*base),
            Self::Index { base, index } => out.extend([base, index]),
            Self::Await(inner) | Self::Try(inner) | Self::Reference(inner) | Self::Async(inner) | Self::Loop(inner) => {
                out.push(*inner)
            }
            Self::Assign { left, right } | Self::Binary { left, right } => out.extend([left, right]),
            Self::Closure { body, .. } => out.push(*body),
            Self::Block(parts) | Self::Other(parts) => out.extend(&**parts),
            Self::Let { value, otherwise, .. } => out.extend(value.iter().chain(otherwise)),
            Self::If { condition, then, otherwise } => {
                out.extend([condition, then]);
                out.extend(otherwise);
            }
            Self::Match { on, arms } => {
                out.push(*on);
                out.extend(&**arms);
            }
            Self::Arm { guard, body, .. } => {
                out.extend(guard);
                out.push(*body);
            }
            Self::While { condition, body } => out.extend([condition, body]),
            Self::For { over, body, .. } => out.extend([over, body]),
            Self::Struct { fields, rest, .. } => {
                out.extend(fields.iter().map(|(_, value)| value));
                out.extend(rest);
            }
            Self::Return(value) => out.extend(value),
        }
        out
    }
}
