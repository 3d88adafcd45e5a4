( the primes below a limit, by a sieve, and a recursion )
variable sieve 20000 allot
: cell sieve + ;
: mark dup dup * begin 1 over cell ! over + dup 19999 > until drop drop ;
: primes 0 20000 2 do i cell @ 0 = if 1 + i 142 < if i mark then then loop ;
: fib dup 2 < if exit then dup 1 - fib swap 2 - fib + ;
: main ." primes " primes . cr ." fib " 15 fib . cr ;
main
