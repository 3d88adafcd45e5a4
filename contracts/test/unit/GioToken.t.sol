// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {GioToken} from "src/GioToken.sol";
import {IGioToken} from "src/interfaces/IGioToken.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice The token (R12): what the constructor fixes stays; only the minter mints, and burns only its own.
contract GioTokenTest is BaseTest {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function test_r12_constructor_fixes_minter_holder_and_supply() public view {
        assertEq(token.minter(), bridge);
        assertEq(token.totalSupply(), SUPPLY);
        assertEq(token.balanceOf(treasury) + token.balanceOf(buyer.addr), SUPPLY);
        assertEq(token.decimals(), 8);
        assertEq(token.name(), "GIO");
        assertEq(token.symbol(), "GIO");
    }

    function test_r12_constructor_minterZero_reverts() public {
        vm.expectRevert(IGioToken.MinterZero.selector);
        new GioToken(address(0), treasury, 1);
    }

    function test_r12_constructor_holderZeroWithSupply_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        new GioToken(bridge, address(0), 1);
    }

    function test_r12_constructor_withoutSupply_needsNoHolder() public {
        assertEq(new GioToken(bridge, address(0), 0).totalSupply(), 0);
    }

    function test_r12_mint_byAnyoneElse_reverts(address caller, uint256 amount) public {
        vm.assume(caller != bridge);
        vm.expectRevert(abi.encodeWithSelector(IGioToken.NotMinter.selector, caller, bridge));
        vm.prank(caller);
        token.mint(caller, amount);
    }

    function test_r12_mint_byMinter_creates(address to, uint128 amount) public {
        vm.assume(to != address(0));
        uint256 before = token.balanceOf(to);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(0), to, amount);
        vm.prank(bridge);
        token.mint(to, amount);
        assertEq(token.balanceOf(to), before + amount);
        assertEq(token.totalSupply(), uint256(SUPPLY) + amount);
    }

    function test_r12_burn_byAnyoneElse_reverts(address caller, uint256 amount) public {
        vm.assume(caller != bridge);
        vm.expectRevert(abi.encodeWithSelector(IGioToken.NotMinter.selector, caller, bridge));
        vm.prank(caller);
        token.burn(amount);
    }

    function test_r12_burn_ofMoreThanMinterHolds_reverts(uint128 held, uint128 amount) public {
        held = uint128(bound(held, 0, type(uint128).max - 1));
        amount = uint128(bound(amount, uint256(held) + 1, type(uint128).max));
        vm.startPrank(bridge);
        token.mint(bridge, held);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, bridge, held, amount));
        token.burn(amount);
    }

    function test_r12_burn_takesOnlyFromMinter(uint128 held, uint128 amount) public {
        amount = uint128(bound(amount, 0, held));
        uint256 treasuryBefore = token.balanceOf(treasury);
        vm.startPrank(bridge);
        token.mint(bridge, held);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(bridge, address(0), amount);
        token.burn(amount);
        assertEq(token.balanceOf(bridge), held - amount);
        assertEq(token.balanceOf(treasury), treasuryBefore);
        assertEq(token.totalSupply(), uint256(SUPPLY) + held - amount);
    }

    function test_clock_isBlockTime(uint40 time) public {
        vm.warp(time);
        assertEq(token.clock(), time);
        assertEq(token.CLOCK_MODE(), "mode=timestamp");
    }

    function test_votes_followDelegationAndTime() public {
        vm.prank(buyer.addr);
        token.delegate(buyer.addr);
        vm.warp(GENESIS + 10);
        vm.prank(buyer.addr);
        token.transfer(stranger.addr, 1 * GIO);
        vm.warp(GENESIS + 20);
        assertEq(token.getPastVotes(buyer.addr, GENESIS + 9), BUYER_MONEY);
        assertEq(token.getPastVotes(buyer.addr, GENESIS + 10), BUYER_MONEY - 1 * GIO);
        assertEq(token.getVotes(stranger.addr), 0, "undelegated tokens do not vote");
    }

    function test_permit_setsAllowanceOnce(uint256 value) public {
        uint256 deadline = block.timestamp + 1;
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, buyer.addr, stranger.addr, value, 0, deadline));
        bytes32 digest = keccak256(bytes.concat(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(buyer.key, digest);
        token.permit(buyer.addr, stranger.addr, value, deadline, v, r, s);
        assertEq(token.allowance(buyer.addr, stranger.addr), value);
        assertEq(token.nonces(buyer.addr), 1);
        vm.expectRevert();
        token.permit(buyer.addr, stranger.addr, value, deadline, v, r, s);
    }

    /* EIP-20, WORD FOR WORD (GV-16) */

    function test_gv16_transfer_movesAndSaysSo(uint256 amount) public {
        amount = bound(amount, 0, BUYER_MONEY);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(buyer.addr, stranger.addr, amount);
        vm.prank(buyer.addr);
        assertTrue(token.transfer(stranger.addr, amount));
        assertEq(token.balanceOf(stranger.addr), amount);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - amount);
    }

    function test_gv16_transfer_ofMoreThanOneHas_reverts(uint256 amount) public {
        amount = bound(amount, BUYER_MONEY + 1, type(uint256).max);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, buyer.addr, BUYER_MONEY, amount)
        );
        vm.prank(buyer.addr);
        token.transfer(stranger.addr, amount);
    }

    function test_gv16_transferFrom_usesTheAllowance(uint256 allowance, uint256 amount) public {
        allowance = bound(allowance, 0, BUYER_MONEY);
        amount = bound(amount, 0, allowance);
        vm.expectEmit(address(token));
        emit IERC20.Approval(buyer.addr, stranger.addr, allowance);
        vm.prank(buyer.addr);
        assertTrue(token.approve(stranger.addr, allowance));
        vm.startPrank(stranger.addr);
        assertTrue(token.transferFrom(buyer.addr, author, amount));
        assertEq(token.allowance(buyer.addr, stranger.addr), allowance - amount);
        uint256 left = allowance - amount;
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, stranger.addr, left, BUYER_MONEY + 1
            )
        );
        token.transferFrom(buyer.addr, author, BUYER_MONEY + 1);
    }

    function test_gv16_approve_replacesAndUnlimitedStays() public {
        vm.startPrank(buyer.addr);
        token.approve(stranger.addr, 5);
        token.approve(stranger.addr, type(uint256).max);
        vm.stopPrank();
        vm.prank(stranger.addr);
        token.transferFrom(buyer.addr, author, 7);
        assertEq(token.allowance(buyer.addr, stranger.addr), type(uint256).max);
        assertEq(token.totalSupply(), SUPPLY);
    }
}
