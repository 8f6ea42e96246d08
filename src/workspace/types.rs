//! Which type is written down for a value: in a signature, a field, an annotation, a pattern, or by what made it.

use super::names::{Definition, TypeRef};
use super::query::{Node, hands_on};
use super::rust::{ExprKind, Name, Segments, Type, TypeKind};
use super::values::is_wrapper;
use super::{Workspace, names};

/// Values are followed through at most this many bindings.
const MAX_DEPTH: usize = 24;

/// Wrappers whose methods are those of what they hold.
pub(super) const TRANSPARENT: &[&str] = &[
    "Arc",
    "Rc",
    "Box",
    "Option",
    "Result",
    "Data",
    "State",
    "Extension",
    "Mutex",
    "RwLock",
    "OnceCell",
    "OnceLock",
    "LazyLock",
    "Lazy",
    "Pin",
    "MutexGuard",
    "Cow",
    "Ref",
    "RefCell",
    "Cell",
    "ManuallyDrop",
    "Addr",
];

/// Associated functions that derives write, and that make a value of the type: clap, `Default`, `From` and its kin.
const DERIVED: &[&str] =
    &["parse", "try_parse", "parse_from", "try_parse_from", "default", "new", "from", "try_from", "from_str", "from_env", "init"];

/// Outside functions that make a pair, and the types of its parts.
const PAIRS: &[(&str, [&str; 2])] = &[
    ("std::sync::mpsc::channel", ["std::sync::mpsc::Sender", "std::sync::mpsc::Receiver"]),
    ("std::sync::mpsc::sync_channel", ["std::sync::mpsc::SyncSender", "std::sync::mpsc::Receiver"]),
    ("crossbeam_channel::bounded", ["crossbeam_channel::Sender", "crossbeam_channel::Receiver"]),
    ("crossbeam_channel::unbounded", ["crossbeam_channel::Sender", "crossbeam_channel::Receiver"]),
    ("flume::bounded", ["flume::Sender", "flume::Receiver"]),
    ("flume::unbounded", ["flume::Sender", "flume::Receiver"]),
];

impl<'w> Node<'w> {
    /// The type written down for this value, wrappers such as `Arc` and `Option` taken off.
    pub fn ty(self) -> Definition {
        self.ty_within(MAX_DEPTH)
    }

    /// Whether that type is the outside type at `path`.
    pub fn is_a(self, path: &str) -> bool {
        matches!(self.ty(), Definition::External(found) if found == path)
    }

    fn ty_within(self, depth: usize) -> Definition {
        let Some(depth) = depth.checked_sub(1) else { return Definition::Unknown };
        let node = self.peel();
        match node.kind() {
            ExprKind::Path(path) if path.len() == 1 => node.variable_type(&path[0], depth),
            ExprKind::Struct { .. } => node.definition(),
            ExprKind::Call { .. } => node.call_type(depth),
            ExprKind::Field { base, name } => match node.with(*base).ty_within(depth) {
                Definition::Type(ty) => node.workspace.field_type(ty, name),
                _ => Definition::Unknown,
            },
            ExprKind::Method { receiver, name, .. } => {
                let receiver = node.with(*receiver).ty_within(depth);
                match receiver {
                    Definition::Type(ty) => match node.workspace.names.method(ty, *name) {
                        Some(method) => node.workspace.return_type(method),
                        None => Definition::Unknown,
                    },
                    Definition::External(path) => external_method(path, name),
                    _ => Definition::Unknown,
                }
            }
            ExprKind::Block(statements) => match statements.last() {
                Some(last) => node.with(*last).ty_within(depth),
                None => Definition::Unknown,
            },
            ExprKind::Arm { body, .. } => node.with(*body).ty_within(depth),
            ExprKind::If { then, .. } => node.with(*then).ty_within(depth),
            // Arms that leave the function have no type.
            ExprKind::Match { arms, .. } => {
                let types = arms.iter().map(|arm| node.with(*arm).ty_within(depth));
                types.into_iter().find(|ty| *ty != Definition::Unknown).unwrap_or(Definition::Unknown)
            }
            _ => Definition::Unknown,
        }
    }

    fn variable_type(self, name: &str, depth: usize) -> Definition {
        if let Some(found) = self.arm_type(name, depth) {
            return found;
        }
        if let Some(ty) = self.annotated(name) {
            return self.meaning(ty);
        }
        if let Some(value) = self.binding() {
            return value.ty_within(depth);
        }
        if let Some(found) = self.tuple_part(name) {
            return found;
        }
        let Some(function) = self.function() else { return Definition::Unknown };
        let parameter =
            self.workspace.function(function).parameters.iter().find(|parameter| parameter.name.as_deref() == Some(name));
        if let Some(parameter) = parameter {
            return self.meaning(&parameter.ty);
        }
        // `static HTTP: LazyLock<reqwest::Client>` of this file.
        let constant = self.facts().constants.iter().find(|constant| &*constant.name == name);
        constant.map_or(Definition::Unknown, |constant| self.meaning(&constant.ty))
    }

    /// `let (command, colors) = parse();`: what the function's signature says of that part, or what is known of it.
    fn tuple_part(self, name: &str) -> Option<Definition> {
        let blocks = self.ancestors().filter_map(|node| match node.kind() {
            ExprKind::Block(statements) => Some(statements.iter().map(move |id| node.with(*id))),
            _ => None,
        });
        let (value, position, count) = blocks.flatten().find_map(|statement| match statement.kind() {
            ExprKind::Let { names, value: Some(value), .. } if statement.id < self.id => {
                let position = names.iter().position(|bound| &**bound == name)?;
                Some((statement.with(*value), position, names.len()))
            }
            _ => None,
        })?;
        let function = match value.peel().definition() {
            Definition::Function(function) => function,
            Definition::External(path) => {
                let (_, parts) = PAIRS.iter().find(|(known, _)| *known == path).filter(|_| count == 2)?;
                return Some(Definition::External(parts[position]));
            }
            _ => return None,
        };
        let item = self.workspace.function(function);
        let mut ty = item.returns.as_ref()?;
        while ty.name().is_some_and(|name| TRANSPARENT.contains(&name)) {
            ty = ty.arguments.first()?;
        }
        let part = ty.arguments.get(position).filter(|_| ty.path.is_empty() && ty.arguments.len() == count)?;
        let module = self.workspace.names.modules_of(function.file(), item.module).first()?;
        Some(self.workspace.type_meaning(*module, part, item.owner.as_ref()))
    }

    /// `Command::Serve(options) => …`: what the variant holds. `None` when no arm binds the name.
    fn arm_type(self, name: &str, depth: usize) -> Option<Definition> {
        let mut inner = self;
        for ancestor in self.ancestors() {
            let binds = |bound: &[Name]| bound.iter().position(|bound| &**bound == name);
            match ancestor.kind() {
                ExprKind::Arm { names, variant, .. } => {
                    if let Some(position) = binds(names) {
                        return Some(ancestor.arm_part(variant, name, (position, names.len()), depth));
                    }
                }
                ExprKind::Closure { parameters, .. } if parameters.iter().any(|known| known.name.as_deref() == Some(name)) => {
                    return None;
                }
                ExprKind::Block(statements) => {
                    let mut before = statements.iter().take_while(|id| **id != inner.id).map(|id| ancestor.with(*id));
                    let bound = |node: Node<'_>| matches!(node.kind(), ExprKind::Let { names, .. } if binds(names).is_some());
                    if before.any(bound) {
                        return None;
                    }
                }
                _ => {}
            }
            inner = ancestor;
        }
        None
    }

    /// The type of what an arm binds from its variant, this being the arm: by name where the fields have names, else by
    /// position, if all are bound.
    fn arm_part(self, variant: &[Name], bound: &str, (position, count): (usize, usize), depth: usize) -> Definition {
        let Some((name, base)) = variant.split_last() else { return Definition::Unknown };
        if matches!(&**name, "Some" | "Ok") && base.is_empty() {
            // `Result` and `Option` are transparent.
            return match self.parent().map(|parent| (parent, parent.kind())) {
                Some((parent, ExprKind::Match { on, .. })) => parent.with(*on).ty_within(depth),
                _ => Definition::Unknown,
            };
        }
        let Definition::Type(ty) = self.resolve(base) else { return Definition::Unknown };
        let item = ty.get(&self.workspace.rust);
        let TypeKind::Enum(variants) = &item.kind else { return Definition::Unknown };
        let module = self.workspace.names.modules_of(ty.file(), item.module).first();
        let Some(variant) = variants.iter().find(|known| known.name == *name) else { return Definition::Unknown };
        let part = match variant.fields.is_empty() {
            true => Some(position).filter(|_| variant.types.len() == count),
            false => variant.fields.iter().position(|field| &**field == bound),
        };
        match (module, part) {
            (Some(&module), Some(part)) => self.workspace.type_meaning(module, &variant.types[part], None),
            _ => Definition::Unknown,
        }
    }

    /// The type that is written down for a name at this point: in its `let`, or among the parameters.
    pub fn written_type(self, name: &str) -> Option<&'w Type> {
        if let Some(ty) = self.annotated(name) {
            return Some(ty);
        }
        let function = self.function().filter(|_| self.binding_of(name).is_none())?;
        let parameters = &self.workspace.function(function).parameters;
        parameters.iter().find(|parameter| parameter.name.as_deref() == Some(name)).map(|parameter| &parameter.ty)
    }

    /// `let client: Client = …`, or a closure's typed parameter.
    fn annotated(self, name: &str) -> Option<&'w Type> {
        let mut inner = self;
        for ancestor in self.ancestors() {
            match ancestor.kind() {
                ExprKind::Closure { parameters, .. } => {
                    let parameter = parameters.iter().find(|parameter| parameter.name.as_deref() == Some(name));
                    if let Some(parameter) = parameter {
                        return Some(&parameter.ty).filter(|ty| !ty.path.is_empty());
                    }
                }
                ExprKind::Block(statements) => {
                    let before: Vec<_> = statements.iter().take_while(|id| **id != inner.id).collect();
                    for id in before.into_iter().rev() {
                        if let ExprKind::Let { names, ty, .. } = ancestor.with(*id).kind()
                            && names.iter().any(|bound| &**bound == name)
                        {
                            return ty.as_deref();
                        }
                    }
                }
                _ => {}
            }
            inner = ancestor;
        }
        None
    }

    fn call_type(self, depth: usize) -> Definition {
        match self.definition() {
            Definition::Function(function) => self.workspace.return_type(function),
            Definition::External(path) => {
                let (base, name) = path.rsplit_once("::").unwrap_or(("", path));
                // `Arc::new(client)` and `Some(client)` are transparent.
                if TRANSPARENT.contains(&base.rsplit("::").next().unwrap_or(base)) {
                    return self.arguments().next().map_or(Definition::Unknown, |argument| argument.ty_within(depth));
                }
                external_method(base, name)
            }
            Definition::Unknown | Definition::Other if is_wrapper(self) => {
                self.arguments().next().map_or(Definition::Unknown, |argument| argument.ty_within(depth))
            }
            // `Options::parse()`, `Config::default()`: what a derive wrote.
            Definition::Unknown | Definition::Other => match self.path() {
                Some([base @ .., name]) if DERIVED.contains(&&**name) => match self.resolve(base) {
                    Definition::Type(ty) => self.workspace.through_alias(ty),
                    _ => Definition::Unknown,
                },
                _ => Definition::Unknown,
            },
            _ => Definition::Unknown,
        }
    }

    /// What a written type means here.
    pub fn meaning(self, ty: &Type) -> Definition {
        let Some(&module) = self.modules().first() else { return Definition::Unknown };
        let owner = self.function().and_then(|function| self.workspace.function(function).owner.as_ref());
        self.workspace.type_meaning(module, ty, owner)
    }
}

impl Workspace {
    /// What a written type means in a module, transparent wrappers taken off.
    pub fn type_meaning(&self, module: names::ModuleIndex, ty: &Type, owner: Option<&Segments>) -> Definition {
        let ty = opaque(ty);
        match self.names.resolve(&self.rust, module, &ty.path, owner) {
            Definition::Type(found) => self.through_alias(found),
            found => found,
        }
    }

    /// What an alias stands for, also by way of others: `type Pool = r2d2::Pool<Manager>`.
    fn through_alias(&self, ty: TypeRef) -> Definition {
        let mut ty = ty;
        for _ in 0..MAX_DEPTH {
            let item = ty.get(&self.rust);
            let module = self.names.modules_of(ty.file(), item.module).first();
            let (TypeKind::Alias(target), Some(&module)) = (&item.kind, module) else { break };
            match self.names.resolve(&self.rust, module, &opaque(target).path, None) {
                Definition::Type(found) if found != ty => ty = found,
                Definition::Type(_) => break,
                found => return found,
            }
        }
        Definition::Type(ty)
    }

    fn field_type(&self, ty: TypeRef, name: &str) -> Definition {
        let item = ty.get(&self.rust);
        let (TypeKind::Struct(fields), Some(&module)) = (&item.kind, self.names.modules_of(ty.file(), item.module).first())
        else {
            return Definition::Unknown;
        };
        let field = fields.iter().find(|field| &*field.name == name);
        field.map_or(Definition::Unknown, |field| self.type_meaning(module, &field.ty, None))
    }

    fn return_type(&self, function: names::FunctionRef) -> Definition {
        let item = self.function(function);
        match (&item.returns, self.names.modules_of(function.file(), item.module).first()) {
            (Some(ty), Some(&module)) => self.type_meaning(module, ty, item.owner.as_ref()),
            _ => Definition::Unknown,
        }
    }
}

/// The type behind wrappers: `Client` of `Arc<Option<Client>>`.
fn opaque(ty: &Type) -> &Type {
    let mut ty = ty;
    while ty.name().is_some_and(|name| TRANSPARENT.contains(&name)) {
        match ty.arguments.first() {
            Some(inner) => ty = inner,
            None => break,
        }
    }
    ty
}

/// What a method or associated function of an outside type gives back, by the conventions that builders keep: `new`,
/// `default` and `builder` make one, `build` turns `XBuilder` into `X`, everything else on a builder is the builder.
fn external_method(base: &'static str, name: &str) -> Definition {
    if hands_on(name) {
        return Definition::External(base);
    }
    let is_builder = base.ends_with("Builder");
    match name {
        "builder" if !is_builder => Definition::External(Name::from(format!("{base}Builder")).text()),
        "build" if is_builder => Definition::External(base.trim_end_matches("Builder")),
        "new" | "default" => Definition::External(base),
        _ if is_builder => Definition::External(base),
        _ => Definition::Unknown,
    }
}
