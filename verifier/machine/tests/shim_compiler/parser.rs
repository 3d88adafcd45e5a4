//! From tokens to instructions, in one pass over each function.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, Instruction as I};

use super::instructions::{access, intrinsic, operator};
use super::tokens::Token;
use super::{Compiled, Signature, Ty, Unit};

/// Reads constants and signatures; bodies are skipped.
pub(crate) fn declare(tokens: &[Token], unit: &mut Unit) {
    let mut parser = Parser::new(tokens, unit);
    let mut defined = Vec::new();
    while parser.at < parser.tokens.len() {
        if parser.accept_name("const") {
            let name = parser.name();
            parser.sign("=");
            let value = parser.constant();
            parser.sign(";");
            parser.unit.constants.insert(name, value);
        } else if parser.accept_name("import") {
            let from = parser.name();
            let (name, signature) = parser.signature(false);
            parser.sign(";");
            parser.unit.imports.push((from, name, signature));
        } else {
            let exported = parser.accept_name("export");
            parser.skip_name("fn");
            defined.push(parser.signature(exported));
            parser.skip_block();
        }
    }
    let imports = u32::try_from(unit.imports.len()).unwrap();
    for ((_, _, signature), index) in unit.imports.iter_mut().zip(0..) {
        signature.index = index;
    }
    for ((name, mut signature), index) in defined.into_iter().zip(imports..) {
        signature.index = index;
        let before = unit.functions.insert(name.clone(), signature);
        assert!(before.is_none(), "{name} is defined twice");
    }
}

pub(crate) fn bodies(tokens: &[Token], unit: &mut Unit) -> Vec<Compiled> {
    let mut parser = Parser::new(tokens, unit);
    let mut found = Vec::new();
    while parser.at < parser.tokens.len() {
        if parser.accept_name("const") || parser.accept_name("import") {
            while !parser.accept(";") {
                parser.at += 1;
            }
        } else {
            parser.accept_name("export");
            parser.skip_name("fn");
            found.push(parser.function());
        }
    }
    found
}

struct Parser<'t, 'u> {
    tokens: &'t [Token],
    at: usize,
    unit: &'u mut Unit,
    name: String,
    names: BTreeMap<String, (u32, Ty)>,
    params: usize,
    locals: Vec<Ty>,
    result: Ty,
    code: Vec<I<'static>>,
    /// Labels open around this place, and for every loop how many there were at its exit.
    depth: u32,
    exits: Vec<u32>,
}

impl<'t, 'u> Parser<'t, 'u> {
    fn new(tokens: &'t [Token], unit: &'u mut Unit) -> Self {
        Self {
            tokens,
            at: 0,
            unit,
            name: String::new(),
            names: BTreeMap::new(),
            params: 0,
            locals: Vec::new(),
            result: Ty::Void,
            code: Vec::new(),
            depth: 0,
            exits: Vec::new(),
        }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn fail(&self, wanted: &str) -> ! {
        let found = &self.tokens[self.at..(self.at + 6).min(self.tokens.len())];
        panic!("in {}: wanted {wanted}, found {found:?}", self.name)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) {
        if !self.accept(sign) {
            self.fail(sign);
        }
    }

    fn accept_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(found)) if found == name);
        self.at += usize::from(found);
        found
    }

    fn skip_name(&mut self, name: &str) {
        if !self.accept_name(name) {
            self.fail(name);
        }
    }

    fn name(&mut self) -> String {
        let Some(Token::Name(name)) = self.peek() else {
            self.fail("a name");
        };
        self.at += 1;
        name.clone()
    }

    fn ty(&mut self) -> Ty {
        match self.name().as_str() {
            "int" => Ty::Int,
            "long" => Ty::Long,
            _ => self.fail("a type"),
        }
    }

    /// A constant: a number or an earlier constant, with others added to it.
    fn constant(&mut self) -> i64 {
        let mut sum = 0;
        loop {
            match self.peek() {
                Some(Token::Int(value) | Token::Long(value)) => sum += value,
                Some(Token::Name(name)) => sum += self.unit.constants[name],
                _ => self.fail("a constant"),
            }
            self.at += 1;
            if !self.accept("+") {
                return sum;
            }
        }
    }

    fn signature(&mut self, exported: bool) -> (String, Signature) {
        let name = self.name();
        self.sign("(");
        let mut params = Vec::new();
        while !self.accept(")") {
            let param = self.name();
            let ty = if self.accept(":") { self.ty() } else { Ty::Int };
            params.push((param, ty));
            self.accept(",");
        }
        let result = if self.accept("->") {
            self.ty()
        } else {
            Ty::Void
        };
        let signature = Signature {
            index: 0,
            params,
            result,
            exported,
        };
        (name, signature)
    }

    fn skip_block(&mut self) {
        let mut open = 0;
        loop {
            if self.accept("{") {
                open += 1;
            } else if self.accept("}") {
                open -= 1;
                if open == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    fn function(&mut self) -> Compiled {
        let (name, _) = self.signature(false);
        let signature = self.unit.functions[&name].clone();
        self.name = name;
        self.names.clear();
        for ((param, ty), index) in signature.params.iter().zip(0..) {
            self.names.insert(param.clone(), (index, *ty));
        }
        self.params = signature.params.len();
        self.result = signature.result;
        self.block();
        if self.result != Ty::Void {
            self.code.push(I::Unreachable);
        }
        self.code.push(I::End);
        Compiled {
            index: signature.index,
            locals: std::mem::take(&mut self.locals),
            code: std::mem::take(&mut self.code),
        }
    }

    fn block(&mut self) {
        self.sign("{");
        while !self.accept("}") {
            self.statement();
        }
    }

    fn statement(&mut self) {
        if self.accept_name("let") {
            let name = self.name();
            self.sign("=");
            let ty = self.expression();
            let index = self.local(&name, ty);
            self.code.push(I::LocalSet(index));
            self.sign(";");
        } else if self.accept_name("if") {
            self.conditional();
        } else if self.accept_name("while") {
            self.repeat();
        } else if self.accept_name("break") {
            let exit = *self.exits.last().unwrap();
            self.code.push(I::Br(self.depth - exit));
            self.sign(";");
        } else if self.accept_name("return") {
            if !self.accept(";") {
                let ty = self.expression();
                assert_eq!(ty, self.result, "result of {}", self.name);
                self.sign(";");
            }
            self.code.push(I::Return);
        } else {
            self.assignment_or_call();
            self.sign(";");
        }
    }

    fn local(&mut self, name: &str, ty: Ty) -> u32 {
        if let Some((index, before)) = self.names.get(name) {
            assert_eq!(*before, ty, "{name} in {}", self.name);
            return *index;
        }
        let index = u32::try_from(self.params + self.locals.len()).unwrap();
        self.locals.push(ty);
        self.names.insert(name.to_owned(), (index, ty));
        index
    }

    fn conditional(&mut self) {
        self.condition();
        self.code.push(I::If(BlockType::Empty));
        self.depth += 1;
        self.block();
        if self.accept_name("else") {
            self.code.push(I::Else);
            if self.accept_name("if") {
                self.conditional();
            } else {
                self.block();
            }
        }
        self.depth -= 1;
        self.code.push(I::End);
    }

    fn repeat(&mut self) {
        self.code.push(I::Block(BlockType::Empty));
        self.depth += 1;
        self.exits.push(self.depth);
        self.code.push(I::Loop(BlockType::Empty));
        self.depth += 1;
        self.condition();
        self.code.extend([I::I32Eqz, I::BrIf(1)]);
        self.block();
        self.code.extend([I::Br(0), I::End, I::End]);
        self.depth -= 2;
        self.exits.pop();
    }

    fn condition(&mut self) {
        let ty = self.expression();
        assert_eq!(ty, Ty::Int, "a condition in {}", self.name);
    }

    fn assignment_or_call(&mut self) {
        let begun = self.at;
        let name = self.name();
        if let Some(access) = access(&name) {
            self.sign("[");
            let offset = self.address();
            self.sign("]");
            self.sign("=");
            assert_eq!(self.expression(), access.ty, "a store in {}", self.name);
            self.code.push(access.store(offset));
        } else if self.accept("=") {
            let ty = self.expression();
            let (index, expected) = self.names[&name];
            assert_eq!(ty, expected, "{name} in {}", self.name);
            self.code.push(I::LocalSet(index));
        } else {
            self.at = begun;
            if self.expression() != Ty::Void {
                self.code.push(I::Drop);
            }
        }
    }

    /// An address; a constant added at its end becomes the offset.
    fn address(&mut self) -> u64 {
        assert_eq!(self.expression(), Ty::Int, "an address in {}", self.name);
        if let [.., I::I32Const(offset), I::I32Add] = self.code[..]
            && offset >= 0
        {
            self.code.truncate(self.code.len() - 2);
            return u64::from(offset.cast_unsigned());
        }
        0
    }

    fn expression(&mut self) -> Ty {
        self.binary(0)
    }

    fn binary(&mut self, least: u32) -> Ty {
        let mut left = self.unary();
        while let Some(Token::Sign(sign)) = self.peek() {
            let strength = match *sign {
                "||" => 1,
                "&&" => 2,
                "==" | "!=" | "<" | "<=" | ">" | ">=" => 3,
                "|" => 4,
                "^" => 5,
                "&" => 6,
                "<<" | ">>" => 7,
                "+" | "-" => 8,
                "*" | "/" | "%" => 9,
                _ => return left,
            };
            if strength <= least {
                return left;
            }
            self.at += 1;
            if strength <= 2 {
                left = self.short_circuit(strength == 1, strength);
                continue;
            }
            let right = self.binary(strength);
            assert_eq!(left, right, "operands of {sign} in {}", self.name);
            self.code.push(operator(sign, left));
            if strength == 3 {
                left = Ty::Int;
            }
        }
        left
    }

    fn short_circuit(&mut self, or: bool, strength: u32) -> Ty {
        self.code
            .push(I::If(BlockType::Result(wasm_encoder::ValType::I32)));
        self.depth += 1;
        if or {
            self.code.extend([I::I32Const(1), I::Else]);
        }
        self.binary(strength);
        if !or {
            self.code.extend([I::Else, I::I32Const(0)]);
        }
        self.depth -= 1;
        self.code.push(I::End);
        Ty::Int
    }

    fn unary(&mut self) -> Ty {
        if self.accept("!") {
            let ty = self.unary();
            self.code.push(match ty {
                Ty::Long => I::I64Eqz,
                _ => I::I32Eqz,
            });
            return Ty::Int;
        }
        if self.accept("~") {
            let ty = self.unary();
            self.code.extend(match ty {
                Ty::Long => [I::I64Const(-1), I::I64Xor],
                _ => [I::I32Const(-1), I::I32Xor],
            });
            return ty;
        }
        self.primary()
    }

    fn primary(&mut self) -> Ty {
        if self.accept("(") {
            let ty = self.expression();
            self.sign(")");
            return ty;
        }
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Int(value)) => {
                let value = u32::try_from(value).unwrap().cast_signed();
                self.code.push(I::I32Const(value));
                Ty::Int
            }
            Some(Token::Long(value)) => {
                self.code.push(I::I64Const(value));
                Ty::Long
            }
            Some(Token::Text(text)) => {
                let at = self.unit.string(&text);
                self.code.push(I::I32Const(at.cast_signed()));
                Ty::Int
            }
            Some(Token::Name(name)) => self.named(&name),
            _ => self.fail("an expression"),
        }
    }

    fn named(&mut self, name: &str) -> Ty {
        if let Some(access) = access(name) {
            self.sign("[");
            let offset = self.address();
            self.sign("]");
            self.code.push(access.load(offset));
            return access.ty;
        }
        if self.accept("(") {
            return self.call(name);
        }
        if let Some((index, ty)) = self.names.get(name) {
            self.code.push(I::LocalGet(*index));
            return *ty;
        }
        let Some(value) = self.unit.constants.get(name) else {
            self.fail(&format!("a local or constant `{name}`"));
        };
        let value = u32::try_from(*value).unwrap().cast_signed();
        self.code.push(I::I32Const(value));
        Ty::Int
    }

    fn call(&mut self, name: &str) -> Ty {
        let mut given = Vec::new();
        while !self.accept(")") {
            given.push(self.expression());
            self.accept(",");
        }
        if let Some((instruction, params, result)) = intrinsic(name) {
            assert_eq!(given, params, "arguments of {name} in {}", self.name);
            self.code.push(instruction);
            return result;
        }
        let import = || {
            let mut imports = self.unit.imports.iter();
            imports
                .find(|import| import.1 == name)
                .map(|found| &found.2)
        };
        let signature = self.unit.functions.get(name).or_else(import);
        let Some(signature) = signature else {
            self.fail(&format!("a function `{name}`"));
        };
        let params: Vec<Ty> = signature.params.iter().map(|(_, ty)| *ty).collect();
        assert_eq!(given, params, "arguments of {name} in {}", self.name);
        self.code.push(I::Call(signature.index));
        signature.result
    }
}
