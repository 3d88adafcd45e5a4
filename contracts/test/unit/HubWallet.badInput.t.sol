// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {GioToken} from "src/GioToken.sol";
import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice A plain token, without permit and votes.
contract PlainToken is ERC20 {
    constructor(address holder, uint256 supply) ERC20("", "") {
        _mint(holder, supply);
    }
}

/// @notice A token that keeps one per cent of every movement.
contract FeeToken is PlainToken {
    constructor(address holder, uint256 supply) PlainToken(holder, supply) {}

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) super._update(to, address(1), value / 100);
    }
}

/// @notice What no honest caller sends: other tokens, words said elsewhere, the ends of every range.
contract HubWalletBadInputTest is BaseTest {
    DealTerms private terms;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
    }

    /* OTHER TOKENS */

    function _withToken(PlainToken other) private {
        token = GioToken(address(other));
        (whitelist, factory) = _deployFactory(address(other));
        wallet = _createHub(hub.addr, "first");
        _register();
        _fund(buyer.addr, BUYER_MONEY);
        vm.prank(buyer.addr);
        token.approve(address(wallet), type(uint256).max);
        terms.wallet = address(wallet);
    }

    /// @dev Otherwise one buyer's missing part would be paid out of another's cap.
    function test_open_tokenThatTakesAFee_reverts() public {
        _withToken(new FeeToken(treasury, SUPPLY));
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        uint256 arrived = terms.cap - terms.cap / 100;
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.CapIncomplete.selector, arrived, terms.cap));
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
        assertEq(wallet.ledger().escrow, 0);
    }

    /// @dev HW-12: nothing but ERC-20 itself is needed; a permit that does not exist is tolerated (R5).
    function test_hw12_plainErc20_carriesAWholeDealAndAPayout() public {
        _withToken(new PlainToken(treasury, SUPPLY));
        _open(terms);
        bytes32 root = _post(terms, keccak256("tree"), 10e9);
        vm.prank(buyer.addr);
        wallet.confirm(terms, root, "");
        vm.prank(hub.addr);
        wallet.transfer(miner, 10 * GIO);
        assertEq(token.balanceOf(miner), 0, "an approval moves nothing");
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, 7 * GIO);
        assertEq(token.balanceOf(miner), 7 * GIO);
        vm.warp(GENESIS + 30 days);
        vm.startPrank(hub.addr);
        wallet.payday();
        wallet.withdraw();
    }

    /* WORDS SAID ELSEWHERE */

    /// @dev A confirmation is of one deal, one root, one wallet and one chain.
    function test_confirm_wordOfAnotherDealWalletOrChain_reverts(uint8 where, uint64 chain) public {
        _open(terms);
        bytes32 root = _post(terms, keccak256("tree"), 1e9);
        DealTerms memory other = _terms();
        _freshNonce(other, "another deal");
        DealId dealId = _dealId(terms);
        bytes32 right = _digest(Typed.confirmation(dealId, root));
        bytes memory signature =
            _sign(buyer, _elsewhere(where, chain, Typed.confirmation(where % 3 == 0 ? _dealId(other) : dealId, root)));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, right));
        vm.prank(stranger.addr);
        wallet.confirm(terms, root, signature);
    }

    /// @dev A cancellation likewise, for both sides.
    function test_cancel_wordOfAnotherDealWalletOrChain_reverts(uint8 where, uint64 chain, bool hubsWord) public {
        _open(terms);
        DealTerms memory other = _terms();
        _freshNonce(other, "another deal");
        DealId dealId = _dealId(terms);
        bytes32 right = _digest(Typed.cancellation(dealId, 1));
        bytes32 wrong = _elsewhere(where, chain, Typed.cancellation(where % 3 == 0 ? _dealId(other) : dealId, 1));
        bytes memory byBuyer = _sign(buyer, hubsWord ? right : wrong);
        bytes memory byHub = _sign(hub, hubsWord ? wrong : right);
        vm.expectRevert(
            hubsWord
                ? abi.encodeWithSelector(IHubWallet.HubSignatureInvalid.selector, hub.addr, right)
                : abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, right)
        );
        wallet.cancel(terms, 1, byBuyer, byHub);
    }

    /// @dev The same words under the domain of another wallet (1), of another chain (2), or right here (0).
    function _elsewhere(uint8 where, uint64 chain, bytes32 structHash) private returns (bytes32) {
        address verifying = address(wallet);
        uint256 chainId = block.chainid;
        if (where % 3 == 1) verifying = address(_createHub(hub.addr, "second"));
        if (where % 3 == 2) chainId = chain == block.chainid ? chain + 1 : chain;
        return Typed.digest(Typed.domain(chainId, verifying), structHash);
    }

    /* ENDS OF RANGES */

    /// @dev The largest bill there can be costs the cap.
    function test_r02_settle_largestBill_costsTheCap(uint64 cu, uint128 price) public {
        terms.pricePerPu = uint128(bound(price, type(uint128).max / 2, type(uint128).max));
        _open(terms);
        _post(terms, keccak256("tree"), uint64(bound(cu, type(uint64).max / 2, type(uint64).max)));
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - terms.cap);
        assertEq(token.balanceOf(author), terms.cap * terms.royaltyPerMille / 1000);
        _assertState(_dealId(terms), DealState.Settled);
    }

    /// @dev GV-21: an author may ask for everything; then nothing is left for the hub, and nothing is lost.
    function test_gv21_royaltyOfEverything_isTheWholePayment() public {
        terms.royaltyPerMille = 1000;
        _open(terms);
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + terms.window);
        uint256 free = wallet.freeBalance();
        wallet.settle(terms);
        assertEq(token.balanceOf(author), 20 * GIO);
        assertEq(wallet.freeBalance(), free + terms.guarantee);
    }

    /// @dev The longest times two sides can sign block nothing but this deal, and the hub may end it.
    function test_open_furthestDeadlines_theHubMayEndIt() public {
        terms.openBy = type(uint64).max - 1;
        terms.deliverBy = type(uint64).max;
        terms.window = 30 days;
        _open(terms);
        vm.prank(hub.addr);
        wallet.giveBack(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
    }

    /// @dev HW-09: down to the amounts that lock nothing, of which a payout needs millions for one GIO.
    function test_hw09_smallestPayouts_lockNothing(uint128 gross) public {
        gross = uint128(bound(gross, 1, 3));
        assertEq(wallet.lockOf(gross), 0);
        assertEq(wallet.lockOf(4), 1);
        vm.prank(hub.addr);
        wallet.transfer(miner, gross);
        assertEq(wallet.approvedTo(miner), gross);
    }

    /// @dev HW-01: a wallet that never registered pays nobody, promises nothing and takes no buyer's money.
    function test_hw01_neverRegistered_cannotDoBusiness() public {
        HubWallet fresh = _createHub(hub.addr, "never registered");
        _fund(address(fresh), HUB_MONEY);
        bytes4 refusal = IHubWallet.WalletStateMismatch.selector;
        vm.startPrank(hub.addr);
        vm.expectPartialRevert(refusal);
        fresh.transfer(miner, 1);
        vm.expectPartialRevert(refusal);
        fresh.postPayout(bytes32(uint256(1)), 1, 0);
        vm.stopPrank();
        terms.wallet = address(fresh);
        bytes32 digest = Typed.digest(Typed.domain(block.chainid, address(fresh)), Typed.termsHash(terms));
        bytes memory byBuyer = _sign(buyer, digest);
        bytes memory byHub = _sign(hub, digest);
        vm.expectPartialRevert(refusal);
        fresh.open(terms, byBuyer, byHub, _noPermit());
    }
}
