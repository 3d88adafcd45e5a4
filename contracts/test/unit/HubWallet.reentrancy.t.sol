// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {GioToken} from "src/GioToken.sol";
import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms, SumNode, SumStep} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice A token that calls its holder back on every movement, as no GIO token does.
contract CallingToken is ERC20, ERC20Permit {
    address private target;
    bytes private call_;
    bytes public answer;
    uint256 public entered;

    constructor(address holder, uint256 supply) ERC20("", "") ERC20Permit("") {
        _mint(holder, supply);
    }

    function arm(address target_, bytes calldata what) external {
        (target, call_) = (target_, what);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (call_.length == 0) return;
        entered += 1;
        (bool ok, bytes memory data) = target.call(call_);
        if (!ok) answer = data;
    }
}

/// @notice A buyer whose signature check tries to act.
contract ActingBuyer is IERC1271 {
    function isValidSignature(bytes32, bytes calldata signature) external view returns (bytes4) {
        (address target, bytes memory what) = abi.decode(signature, (address, bytes));
        (bool ok,) = target.staticcall(what);
        return ok ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Effects come before interactions: even a token that calls back finds nothing left to take.
contract HubWalletReentrancyTest is BaseTest {
    CallingToken private calling;
    DealTerms private terms;
    DealId private dealId;

    function setUp() public override {
        super.setUp();
        calling = new CallingToken(treasury, SUPPLY);
        token = GioToken(address(calling));
        (whitelist, factory) = _deployFactory(address(calling));
        wallet = _createHub(hub.addr, "first");
        _register();
        _fund(buyer.addr, BUYER_MONEY);
        vm.prank(buyer.addr);
        calling.approve(address(wallet), type(uint256).max);
        terms = _terms();
        dealId = _dealId(terms);
    }

    /// @dev The call back found the deal in `found`, and the money moved once.
    function _assertStopped(DealState found, uint256 buyerHolds) private {
        assertGt(calling.entered(), 0, "the token called back");
        assertEq(
            keccak256(calling.answer()),
            keccak256(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, found))
        );
        calling.arm(address(0), "");
        assertEq(calling.balanceOf(buyer.addr), buyerHolds);
    }

    function _openCall() private view returns (bytes memory) {
        bytes32 digest = DealId.unwrap(dealId);
        return abi.encodeCall(IHubWallet.open, (terms, _sign(buyer, digest), _sign(hub, digest), _noPermit()));
    }

    function test_open_reentered_opensOnce() public {
        calling.arm(address(wallet), _openCall());
        _open(terms);
        _assertStopped(DealState.Open, BUYER_MONEY - terms.cap);
        _assertLedger(terms.cap, terms.guarantee, 0, 0);
    }

    function test_settle_reentered_paysOnce() public {
        _open(terms);
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + terms.window);
        calling.arm(address(wallet), abi.encodeCall(IHubWallet.settle, (terms)));
        wallet.settle(terms);
        _assertStopped(DealState.Settled, BUYER_MONEY - 20 * GIO);
    }

    function test_refund_reentered_refundsOnce() public {
        _open(terms);
        vm.warp(uint256(terms.deliverBy) + 1);
        calling.arm(address(wallet), abi.encodeCall(IHubWallet.refund, (terms)));
        wallet.refund(terms);
        _assertStopped(DealState.Refunded, BUYER_MONEY);
    }

    function test_cancel_reentered_paysOnce() public {
        _open(terms);
        bytes32 digest = _digest(Typed.cancellation(dealId, 0));
        bytes memory call_ = abi.encodeCall(IHubWallet.cancel, (terms, 0, _sign(buyer, digest), _sign(hub, digest)));
        calling.arm(address(wallet), call_);
        (bool ok,) = address(wallet).call(call_);
        assertTrue(ok);
        _assertStopped(DealState.Cancelled, BUYER_MONEY);
    }

    function test_refuteSum_reentered_paysOnce() public {
        terms.unitCount = 2;
        dealId = _dealId(terms);
        _open(terms);
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = (SumNode("left", 1), SumNode("right", 1));
        _post(terms, ResultTreeBuilder.node(path[0].left, path[0].right), 3);
        calling.arm(address(wallet), abi.encodeCall(IHubWallet.refuteSum, (terms, path)));
        wallet.refuteSum(terms, path);
        _assertStopped(DealState.Refuted, BUYER_MONEY + terms.guarantee * 70 / 100);
    }

    function test_claimPayout_reentered_paysOnce() public {
        bytes32 top = PayoutBuilder.leaf(0, miner, uint64(GIO));
        vm.prank(hub.addr);
        wallet.postPayout(top, 1, 0);
        bytes memory call_ = abi.encodeCall(IHubWallet.claimPayout, (0, 1, 0, miner, uint64(GIO), new bytes32[](0)));
        calling.arm(address(wallet), call_);
        (bool ok,) = address(wallet).call(call_);
        assertTrue(ok);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.PayoutClaimedAlready.selector, 0, 0);
        assertEq(keccak256(calling.answer()), keccak256(refusal));
        assertEq(calling.balanceOf(miner), GIO);
    }

    /// @dev The token that pays out is also the caller that tries again; even as the owner it finds nothing.
    function test_withdraw_reentered_paysOnce() public {
        vm.warp(GENESIS + 30 days);
        vm.prank(hub.addr);
        wallet.payday();
        calling.arm(address(wallet), abi.encodeCall(IHubWallet.withdraw, ()));
        vm.prank(hub.addr);
        wallet.withdraw();
        assertEq(calling.entered(), 1);
        assertEq(
            keccak256(calling.answer()),
            keccak256(abi.encodeWithSelector(IHubWallet.NotOwner.selector, address(calling), hub.addr))
        );
        assertEq(calling.balanceOf(hub.addr), HUB_MONEY);
    }

    /// @dev A signature check is a static call: whatever the buyer's contract tries there fails.
    function test_open_actingBuyer_cannotActInsideItsSignature() public {
        ActingBuyer acting = new ActingBuyer();
        terms.buyer = address(acting);
        bytes memory attempt = abi.encode(address(calling), abi.encodeCall(calling.approve, (address(wallet), 1)));
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, address(acting), digest));
        wallet.open(terms, attempt, hubSignature, _noPermit());
    }
}
