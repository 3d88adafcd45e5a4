/* forth: a small Forth. Reads its program from standard input, or from the file that its argument names.
 *
 * Cells are 64 bits. Words are compiled to threaded code: numbers of primitives, or where a definition begins. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t cell;

enum { STACK = 1024, CODE = 65536, WORDS = 1024, NAME = 32, DATA = 65536 };

enum op {
    LIT, EXIT, BRANCH, ZBRANCH, DO, LOOP, INDEX, OUTER, ADD, SUB, MUL, DIV, MOD, AND, OR, XOR, LESS,
    EQUAL, GREATER, DUP, DROP, SWAP, OVER, ROT, DOT, EMIT, CR, FETCH, STORE, TO_R, FROM_R, TYPE, OPS
};

static const char *const NAMES[OPS] = {
    "", "exit", "", "", "", "", "i", "j", "+", "-", "*", "/", "mod", "and", "or", "xor", "<",
    "=", ">", "dup", "drop", "swap", "over", "rot", ".", "emit", "cr", "@", "!", ">r", "r>", ""};

struct word { char name[NAME]; int at; int primitive; };

static struct word words[WORDS];
static int word_count, code_end, data_end, compiling, control_top;
static cell code[CODE], data[DATA], stack[STACK], returns[STACK];
static int control[STACK];
static int sp, rp;
static FILE *source;

static void fail(const char *what, const char *detail) {
    fflush(stdout);
    fprintf(stderr, "forth: %s %s\n", what, detail);
    exit(1);
}

static void push(cell value) {
    if (sp == STACK)
        fail("stack overflow", "");
    stack[sp++] = value;
}

static cell pop(void) {
    if (!sp)
        fail("stack underflow", "");
    return stack[--sp];
}

static void rpush(cell value) {
    if (rp == STACK)
        fail("return stack overflow", "");
    returns[rp++] = value;
}

static cell rpop(void) {
    if (!rp)
        fail("return stack underflow", "");
    return returns[--rp];
}

static cell *place(cell at) {
    if (at < 0 || at >= DATA)
        fail("bad address", "");
    return &data[at];
}

static cell arithmetic(enum op op, cell x, cell y) {
    switch (op) {
    case ADD: return (cell)((uint64_t)x + (uint64_t)y);
    case SUB: return (cell)((uint64_t)x - (uint64_t)y);
    case MUL: return (cell)((uint64_t)x * (uint64_t)y);
    case AND: return x & y;
    case OR: return x | y;
    case XOR: return x ^ y;
    case LESS: return -(x < y);
    case EQUAL: return -(x == y);
    case GREATER: return -(x > y);
    default: break;
    }
    if (!y || (x == INT64_MIN && y == -1))
        fail("division", "");
    return op == DIV ? x / y : x % y;
}

static void shuffle(enum op op) {
    cell z = pop();
    if (op == DROP)
        return;
    if (op == DUP) {
        push(z);
        push(z);
        return;
    }
    cell y = pop();
    cell x = op == ROT ? pop() : 0;
    if (op == OVER)
        push(y);
    if (op == ROT)
        push(y);
    push(z);
    push(op == ROT ? x : y);
}

/* The loop's next round, or its end. */
static int loop(int pc) {
    if (rp < 2)
        fail("loop without do", "");
    if (++returns[rp - 1] < returns[rp - 2])
        return (int)code[pc];
    rp -= 2;
    return pc + 1;
}

static void run(int pc) {
    int base = rp;
    for (;;) {
        cell op = code[pc++];
        if (op >= OPS) {
            rpush(pc);
            pc = (int)(op - OPS);
            continue;
        }
        switch ((enum op)op) {
        case LIT: push(code[pc++]); break;
        case EXIT:
            if (rp == base)
                return;
            pc = (int)rpop();
            break;
        case BRANCH: pc = (int)code[pc]; break;
        case ZBRANCH: pc = pop() ? pc + 1 : (int)code[pc]; break;
        case DO: {
            cell first = pop();
            rpush(pop());
            rpush(first);
            break;
        }
        case LOOP: pc = loop(pc); break;
        case INDEX: push(returns[rp - 1]); break;
        case OUTER: push(returns[rp - 3]); break;
        case DUP: case DROP: case SWAP: case OVER: case ROT: shuffle((enum op)op); break;
        case DOT: printf("%" PRId64 " ", pop()); break;
        case EMIT: putchar((int)pop()); break;
        case CR: putchar('\n'); break;
        case FETCH: push(*place(pop())); break;
        case STORE: {
            cell at = pop();
            *place(at) = pop();
            break;
        }
        case TO_R: rpush(pop()); break;
        case FROM_R: push(rpop()); break;
        case TYPE:
            for (cell count = code[pc++]; count--;)
                putchar((int)code[pc++]);
            break;
        default: {
            cell y = pop();
            push(arithmetic((enum op)op, pop(), y));
        }
        }
    }
}

static void compile(cell value) {
    if (code_end == CODE)
        fail("program too long", "");
    code[code_end++] = value;
}

static int token(char *name) {
    int c, count = 0;
    while ((c = getc(source)) != EOF && isspace(c))
        ;
    for (; c != EOF && !isspace(c); c = getc(source))
        if (count < NAME - 1)
            name[count++] = (char)c;
    name[count] = 0;
    return count;
}

static void define(int at, int primitive) {
    char name[NAME];
    if (word_count == WORDS || !token(name))
        fail("cannot define", "");
    memcpy(words[word_count].name, name, NAME);
    words[word_count].at = at;
    words[word_count++].primitive = primitive;
}

static void skip(char end) {
    int c;
    while ((c = getc(source)) != EOF && c != end)
        ;
}

static int unresolved(void) {
    if (!control_top)
        fail("structure", "closed but not open");
    return control[--control_top];
}

static void open_at(int at) {
    if (control_top == STACK)
        fail("structure", "too deep");
    control[control_top++] = at;
}

static void text(void) {
    compile(TYPE);
    int count = code_end, c;
    compile(0);
    while ((c = getc(source)) != EOF && c != '"') {
        compile(c);
        code[count]++;
    }
}

/* Words that act while a definition is compiled. */
static int structure(const char *name) {
    if (!strcmp(name, "if")) {
        compile(ZBRANCH);
        open_at(code_end);
        compile(0);
    } else if (!strcmp(name, "else")) {
        int at = unresolved();
        compile(BRANCH);
        open_at(code_end);
        compile(0);
        code[at] = code_end;
    } else if (!strcmp(name, "then")) {
        code[unresolved()] = code_end;
    } else if (!strcmp(name, "begin")) {
        open_at(code_end);
    } else if (!strcmp(name, "until")) {
        compile(ZBRANCH);
        compile(unresolved());
    } else if (!strcmp(name, "do")) {
        compile(DO);
        open_at(code_end);
    } else if (!strcmp(name, "loop")) {
        compile(LOOP);
        compile(unresolved());
    } else if (!strcmp(name, ".\"")) {
        text();
    } else {
        return 0;
    }
    return 1;
}

static int lookup(const char *name, cell *op) {
    for (int at = word_count - 1; at >= 0; at--)
        if (!strcmp(words[at].name, name)) {
            *op = words[at].primitive ? words[at].primitive : OPS + words[at].at;
            return 1;
        }
    return 0;
}

static int own_word(const char *name) {
    if (!strcmp(name, "("))
        skip(')');
    else if (!strcmp(name, "\\"))
        skip('\n');
    else if (!strcmp(name, ":")) {
        define(code_end, 0);
        compiling = 1;
    } else if (!strcmp(name, ";")) {
        compile(EXIT);
        compiling = 0;
    } else if (!strcmp(name, "variable")) {
        define(code_end, 0);
        compile(LIT);
        compile(data_end++);
        compile(EXIT);
    } else if (!strcmp(name, "allot"))
        data_end += (int)pop();
    else
        return 0;
    return 1;
}

static void interpret(const char *name) {
    cell op;
    char *end;
    if (own_word(name) || (compiling && structure(name)))
        return;
    int begun = code_end;
    if (lookup(name, &op)) {
        compile(op);
    } else {
        cell value = strtoll(name, &end, 10);
        if (*end)
            fail("unknown word", name);
        compile(LIT);
        compile(value);
    }
    if (!compiling) {
        compile(EXIT);
        run(begun);
        code_end = begun;
    }
}

int main(int argc, char **argv) {
    char name[NAME];
    source = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!source)
        fail("cannot read", argv[1]);
    for (int op = EXIT; op < OPS; op++)
        if (*NAMES[op]) {
            strcpy(words[word_count].name, NAMES[op]);
            words[word_count++].primitive = op;
        }
    while (token(name))
        interpret(name);
    return 0;
}
