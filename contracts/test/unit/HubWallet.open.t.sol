// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms, PermitSignature} from "src/types/Deal.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ContractBuyer} from "../utils/ContractBuyer.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice `open`: terms both signed, once, for this wallet on this chain (R1, R5).
contract HubWalletOpenTest is BaseTest {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function setUp() public override {
        super.setUp();
        _register();
    }

    /// @dev Both sign the terms as they are; the refusal is not about signatures.
    function _openRefused(DealTerms memory terms, bytes memory refusal) private {
        bytes32 digest = DealId.unwrap(_dealId(terms));
        _openRefusedAs(terms, _sign(buyer, digest), _sign(hub, digest), refusal);
    }

    function _openRefusedAs(
        DealTerms memory terms,
        bytes memory buyerSignature,
        bytes memory hubSignature,
        bytes memory refusal
    ) private {
        uint256 held = token.balanceOf(buyer.addr);
        vm.expectRevert(refusal);
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
        assertEq(token.balanceOf(buyer.addr), held, "nothing moves");
        _assertLedger(0, 0, 0, 0);
    }

    /* WALLET AND TERMS */

    /// @dev HW-01.
    function test_open_beforeRegistration_reverts() public {
        wallet = _createHub(hub.addr, "second");
        _openRefused(
            _terms(),
            abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, WalletState.Created, WalletState.Registered)
        );
    }

    function test_r01_open_termsOfAnotherWallet_reverts(address other) public {
        vm.assume(other != address(wallet));
        DealTerms memory terms = _terms();
        terms.wallet = other;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.WalletMismatch.selector, other));
    }

    function test_r01_open_seedCommitmentOfAnotherNonce_reverts(bytes32 commitment) public {
        DealTerms memory terms = _terms();
        vm.assume(commitment != terms.seedCommitment);
        terms.seedCommitment = commitment;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.SeedCommitmentMismatch.selector, commitment));
    }

    function test_r01_open_unitCountOutOfRange_reverts(uint32 count) public {
        DealTerms memory terms = _terms();
        terms.unitCount = 0;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.UnitCountOutOfRange.selector, 0));
        terms.unitCount = uint32(bound(count, 1_048_577, type(uint32).max));
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.UnitCountOutOfRange.selector, terms.unitCount));
    }

    function test_r01_open_unknownMode_reverts(uint8 mode) public {
        DealTerms memory terms = _terms();
        terms.mode = uint8(bound(mode, 4, 255));
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.ModeUnknown.selector, terms.mode));
    }

    function test_r01_open_parametersOfModeNone_reverts(bytes32 parameters) public {
        vm.assume(parameters != 0);
        DealTerms memory terms = _terms();
        terms.modeParams = parameters;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.ModeParamsUnexpected.selector, parameters));
    }

    function test_r01_open_unknownMachineVersion_reverts(uint32 version) public {
        vm.assume(version != 0);
        DealTerms memory terms = _terms();
        terms.machineVersion = version;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.MachineVersionUnknown.selector, version));
    }

    function test_r01_open_royaltyAboveThePayment_reverts(uint16 perMille) public {
        DealTerms memory terms = _terms();
        terms.royaltyPerMille = uint16(bound(perMille, 1001, type(uint16).max));
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.RoyaltyTooHigh.selector, terms.royaltyPerMille));
    }

    function test_r01_open_royaltyToNobody_reverts(uint16 perMille) public {
        DealTerms memory terms = _terms();
        terms.royaltyPerMille = uint16(bound(perMille, 1, 1000));
        terms.royaltyTo = address(0);
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.RoyaltyRecipientInvalid.selector, address(0)));
    }

    /// @dev What a settlement pays while the wallet is Suspected would come out of the freezer, to whoever has an allowance.
    function test_r07_open_royaltyToTheWallet_reverts(uint16 perMille) public {
        DealTerms memory terms = _terms();
        terms.royaltyPerMille = uint16(bound(perMille, 1, 1000));
        terms.royaltyTo = address(wallet);
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.RoyaltyRecipientInvalid.selector, address(wallet)));
    }

    function test_r01_open_withCourt_reverts(address court) public {
        vm.assume(court != address(0));
        DealTerms memory terms = _terms();
        terms.court = court;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.CourtUnexpected.selector, court));
    }

    function test_r01_open_dueBeforeItOpens_reverts(uint64 deliverBy) public {
        DealTerms memory terms = _terms();
        terms.deliverBy = uint64(bound(deliverBy, 0, terms.openBy));
        _openRefused(
            terms, abi.encodeWithSelector(IHubWallet.DeadlinesUnordered.selector, terms.openBy, terms.deliverBy)
        );
    }

    function test_r01_open_windowTooLong_reverts(uint64 window) public {
        DealTerms memory terms = _terms();
        terms.window = uint64(bound(window, 30 days + 1, type(uint64).max));
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.WindowTooLong.selector, terms.window, 30 days));
    }

    /// @dev A deal without money would be open and show nowhere: payday could pass beside it (R8).
    function test_r08_open_withoutCap_reverts(uint128 guarantee) public {
        DealTerms memory terms = _terms();
        terms.cap = 0;
        terms.guarantee = guarantee;
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.CapZero.selector));
    }

    function test_r01_open_extremesOfTheRanges_areAccepted(uint8 mode, bytes32 modeParams) public {
        DealTerms memory terms = _terms();
        terms.unitCount = 1_048_576;
        terms.mode = uint8(bound(mode, 1, 3));
        terms.modeParams = modeParams;
        terms.royaltyPerMille = 1000;
        terms.window = 30 days;
        terms.pricePerPu = type(uint128).max;
        terms.guarantee = uint128(wallet.freeBalance());
        terms.cap = BUYER_MONEY;
        terms.deliverBy = type(uint64).max;
        DealId dealId = _open(terms);
        _assertState(dealId, DealState.Open);
    }

    /* TIME AND REPETITION */

    function test_r05_open_afterOpenBy_reverts(uint32 late) public {
        DealTerms memory terms = _terms();
        uint256 time = uint256(terms.openBy) + bound(late, 1, type(uint32).max);
        vm.warp(time);
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.OpenByPassed.selector, terms.openBy, time));
    }

    function test_r05_open_atOpenBy_isInTime() public {
        DealTerms memory terms = _terms();
        vm.warp(terms.openBy);
        _assertState(_open(terms), DealState.Open);
    }

    /// @dev A digest opens once, ever: also after every end a deal can have.
    function test_r01_open_aDigestOpensOnce(uint8 ending) public {
        DealTerms memory terms = _terms();
        DealId dealId = _open(terms);
        DealState reached = _end(terms, dealId, bound(ending, 0, 4));
        _assertState(dealId, reached);
        bytes memory buyerSignature = _sign(buyer, DealId.unwrap(dealId));
        bytes memory hubSignature = _sign(hub, DealId.unwrap(dealId));
        vm.warp(terms.openBy);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, reached));
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
    }

    function _end(DealTerms memory terms, DealId dealId, uint256 ending) private returns (DealState) {
        if (ending == 0) return DealState.Open;
        if (ending == 1) {
            vm.warp(uint256(terms.deliverBy) + 1);
            wallet.refund(terms);
            return DealState.Refunded;
        }
        if (ending == 2) {
            bytes32 digest = _digest(Typed.cancellation(dealId, 0));
            wallet.cancel(terms, 0, _sign(buyer, digest), _sign(hub, digest));
            return DealState.Cancelled;
        }
        bytes32 resultRoot = _post(terms, keccak256("tree"), 1);
        if (ending == 3) return DealState.Posted;
        vm.prank(buyer.addr);
        wallet.confirm(terms, resultRoot, "");
        return DealState.Settled;
    }

    /* SIGNATURES */

    function test_r01_open_withoutTheBuyersSignature_reverts(uint256 key) public {
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        Account memory other = makeAccount("other");
        other.key = boundPrivateKey(key);
        vm.assume(other.key != buyer.key);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, digest);
        _openRefusedAs(terms, _sign(other, digest), _sign(hub, digest), refusal);
        _openRefusedAs(terms, "", _sign(hub, digest), refusal);
        // Not even the buyer's own transaction replaces its signature: both sides hold the same two signatures.
        vm.expectRevert(refusal);
        vm.prank(buyer.addr);
        wallet.open(terms, "", _sign(hub, digest), _noPermit());
    }

    function test_r01_open_withoutTheHubsSignature_reverts(uint256 key) public {
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        Account memory other = makeAccount("other");
        other.key = boundPrivateKey(key);
        vm.assume(other.key != hub.key);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.HubSignatureInvalid.selector, hub.addr, digest);
        _openRefusedAs(terms, _sign(buyer, digest), _sign(other, digest), refusal);
        _openRefusedAs(terms, _sign(buyer, digest), "", refusal);
    }

    /// @dev Signatures have one form: the mirrored `s` is refused, and so is the 64-byte form.
    function test_r01_open_malleatedSignature_reverts() public {
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(buyer.key, digest);
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory mirrored = abi.encodePacked(r, order - uint256(s), v == 27 ? uint8(28) : uint8(27));
        bytes memory short = abi.encodePacked(r, uint256(s) | (uint256(v - 27) << 255));
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, digest);
        _openRefusedAs(terms, mirrored, _sign(hub, digest), refusal);
        _openRefusedAs(terms, short, _sign(hub, digest), refusal);
    }

    /// @dev Every field is signed: change one after the signatures and they are worth nothing.
    function test_r01_open_anyFieldChangedAfterSigning_reverts(uint256 field, uint256 value) public {
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        _change(terms, bound(field, 0, 14), value);
        bytes32 changed = DealId.unwrap(_dealId(terms));
        assertNotEq(changed, digest, "every field is in the digest");
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, terms.buyer, changed);
        _openRefusedAs(terms, buyerSignature, hubSignature, refusal);
    }

    /// @dev Changes that `Terms.check` lets through, so that only the signature can object.
    function _change(DealTerms memory t, uint256 field, uint256 value) private view {
        if (field == 0) t.buyer = stranger.addr;
        if (field == 1) _freshNonce(t, bytes32(value));
        if (field == 2) t.hubNonce = bytes32(value);
        if (field == 3) t.jobRoot = bytes32(value);
        if (field == 4) t.unitCount = uint32(bound(value, 5, 1_048_576));
        if (field == 5) (t.mode, t.modeParams) = (uint8(bound(value, 1, 3)), bytes32(value));
        if (field == 6) t.machineParams = bytes32(value);
        if (field == 7) t.pricePerPu = uint128(bound(value, t.pricePerPu + 1, type(uint128).max));
        if (field == 8) t.cap = uint128(bound(value, t.cap + 1, type(uint128).max));
        if (field == 9) t.guarantee = uint128(bound(value, 0, t.guarantee - 1));
        if (field == 10) t.royaltyTo = stranger.addr;
        if (field == 11) t.royaltyPerMille = uint16(bound(value, 51, 1000));
        if (field == 12) t.clockStart = uint64(bound(value, t.clockStart + 1, type(uint64).max));
        if (field == 13) t.deliverBy = uint64(bound(value, t.deliverBy + 1, type(uint64).max));
        if (field == 14) t.window = uint64(bound(value, 0, t.window - 1));
    }

    function test_r01_open_onAnotherChain_reverts(uint64 chainId) public {
        vm.assume(chainId != block.chainid && chainId != 0);
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.chainId(chainId);
        bytes32 there = DealId.unwrap(_dealId(terms));
        assertNotEq(there, digest);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, there);
        _openRefusedAs(terms, buyerSignature, hubSignature, refusal);
    }

    /// @dev The same hub's other wallet refuses the terms, and, with the wallet's name exchanged, the signatures.
    function test_r01_open_inAnotherClone_reverts() public {
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        address first = address(wallet);
        wallet = _createHub(hub.addr, "second");
        _register();
        _openRefusedAs(
            terms, buyerSignature, hubSignature, abi.encodeWithSelector(IHubWallet.WalletMismatch.selector, first)
        );
        terms.wallet = address(wallet);
        _openRefusedAs(
            terms,
            buyerSignature,
            hubSignature,
            abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, _dealId(terms))
        );
    }

    function test_r01_open_inTheImplementation_reverts() public {
        DealTerms memory terms = _terms();
        terms.wallet = address(implementation);
        bytes32 digest = Typed.digest(Typed.domain(block.chainid, address(implementation)), Typed.termsHash(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(IHubWallet.CallToImplementation.selector);
        implementation.open(terms, buyerSignature, hubSignature, _noPermit());
    }

    /* MONEY */

    function test_r06_open_guaranteeAboveFreeBalance_reverts(uint128 guarantee) public {
        DealTerms memory terms = _terms();
        uint256 free = wallet.freeBalance();
        terms.guarantee = uint128(bound(guarantee, free + 1, type(uint128).max));
        _openRefused(terms, abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, free, terms.guarantee));
    }

    /// @dev Another buyer's cap in the wallet is not the hub's: it cannot guarantee with it.
    function test_r06_open_escrowOfOthersGuaranteesNothing() public {
        DealTerms memory terms = _terms();
        terms.guarantee = uint128(wallet.freeBalance());
        _open(terms);
        _freshNonce(terms, "second");
        terms.guarantee = 1;
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, 0, 1));
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
    }

    function test_r05_open_withoutAllowance_reverts(uint128 allowance) public {
        DealTerms memory terms = _terms();
        allowance = uint128(bound(allowance, 0, terms.cap - 1));
        vm.prank(buyer.addr);
        token.approve(address(wallet), allowance);
        _openRefused(
            terms,
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(wallet), allowance, terms.cap
            )
        );
    }

    function test_r05_open_withoutBalance_reverts(uint128 cap) public {
        DealTerms memory terms = _terms();
        terms.cap = uint128(bound(cap, BUYER_MONEY + 1, type(uint128).max));
        _openRefused(
            terms,
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, buyer.addr, BUYER_MONEY, terms.cap)
        );
    }

    function test_r05_open_movesCapAndReservesGuarantee(uint128 cap, uint128 guarantee, address caller) public {
        vm.assume(caller != address(0));
        DealTerms memory terms = _terms();
        terms.cap = uint128(bound(cap, 1, BUYER_MONEY));
        terms.guarantee = uint128(bound(guarantee, 0, wallet.freeBalance()));
        uint256 free = wallet.freeBalance();
        DealId dealId = _dealId(terms);
        bytes memory buyerSignature = _sign(buyer, DealId.unwrap(dealId));
        bytes memory hubSignature = _sign(hub, DealId.unwrap(dealId));

        vm.expectEmit(address(wallet));
        emit IHubWallet.DealOpened(dealId, buyer.addr, terms);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(buyer.addr, address(wallet), terms.cap);
        vm.prank(caller);
        DealId returned = wallet.open(terms, buyerSignature, hubSignature, _noPermit());

        assertEq(DealId.unwrap(returned), DealId.unwrap(dealId));
        assertEq(DealId.unwrap(wallet.dealIdOf(terms)), DealId.unwrap(dealId));
        _assertState(dealId, DealState.Open);
        assertEq(wallet.deal(dealId).resultRoot, 0);
        _assertLedger(terms.cap, terms.guarantee, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - terms.cap);
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY + terms.cap);
        assertEq(wallet.freeBalance(), free - terms.guarantee);
    }

    /* PERMIT */

    function _permit(uint256 value) private view returns (PermitSignature memory permit) {
        permit.value = value;
        permit.deadline = block.timestamp + 1 hours;
        bytes32 structHash = keccak256(
            abi.encode(PERMIT_TYPEHASH, buyer.addr, address(wallet), value, token.nonces(buyer.addr), permit.deadline)
        );
        bytes32 digest = keccak256(bytes.concat(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (permit.v, permit.r, permit.s) = vm.sign(buyer.key, digest);
    }

    function _openWith(PermitSignature memory permit) private returns (DealId dealId) {
        DealTerms memory terms = _terms();
        dealId = _dealId(terms);
        bytes32 digest = DealId.unwrap(dealId);
        wallet.open(terms, _sign(buyer, digest), _sign(hub, digest), permit);
    }

    function _setAllowance(uint256 allowance) private {
        vm.prank(buyer.addr);
        token.approve(address(wallet), allowance);
    }

    function test_r05_open_withPermit_needsNoAllowance(uint128 surplus) public {
        _setAllowance(0);
        DealId dealId = _openWith(_permit(uint256(100 * GIO) + surplus));
        _assertState(dealId, DealState.Open);
        assertEq(token.allowance(buyer.addr, address(wallet)), surplus);
    }

    /// @dev Somebody saw the permit and sent it first: the allowance is there all the same.
    function test_r05_open_permitSentBefore_isTolerated() public {
        _setAllowance(0);
        PermitSignature memory permit = _permit(100 * GIO);
        vm.prank(stranger.addr);
        token.permit(buyer.addr, address(wallet), permit.value, permit.deadline, permit.v, permit.r, permit.s);
        _assertState(_openWith(permit), DealState.Open);
    }

    function test_r05_open_failingPermitWithAllowance_isTolerated(uint8 v, bytes32 r, bytes32 s) public {
        PermitSignature memory garbage = PermitSignature(1, block.timestamp, v, r, s);
        _setAllowance(100 * GIO);
        _assertState(_openWith(garbage), DealState.Open);
    }

    function test_r05_open_failingPermitWithoutAllowance_reverts() public {
        _setAllowance(1);
        PermitSignature memory expired = _permit(100 * GIO);
        expired.deadline = block.timestamp - 1;
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(wallet), 1, terms.cap)
        );
        wallet.open(terms, buyerSignature, hubSignature, expired);
    }

    /// @dev A permit of somebody else's money opens nothing: the wallet takes from who signed the terms.
    function test_r05_open_spendsOnlyTheSigningBuyersMoney() public {
        _fund(stranger.addr, BUYER_MONEY);
        vm.prank(stranger.addr);
        token.approve(address(wallet), type(uint256).max);
        _setAllowance(0);
        DealTerms memory terms = _terms();
        bytes32 digest = DealId.unwrap(_dealId(terms));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(wallet), 0, terms.cap)
        );
        vm.prank(stranger.addr);
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
        assertEq(token.balanceOf(stranger.addr), BUYER_MONEY);
    }

    /* EIP-1271 */

    function test_r05_open_contractBuyer_opensSettlesAndIsRefunded() public {
        ContractBuyer account = new ContractBuyer(buyer.addr, token);
        _fund(address(account), BUYER_MONEY);
        account.approve(address(wallet), 100 * GIO);
        DealTerms memory terms = _terms();
        terms.buyer = address(account);
        DealId dealId = _open(terms);
        _assertState(dealId, DealState.Open);
        assertEq(token.balanceOf(address(account)), BUYER_MONEY - terms.cap);

        bytes32 resultRoot = _post(terms, keccak256("tree"), 1e9);
        wallet.confirm(terms, resultRoot, _sign(buyer, _digest(Typed.confirmation(dealId, resultRoot))));
        _assertState(dealId, DealState.Settled);
        assertEq(token.balanceOf(address(account)), BUYER_MONEY - 2 * GIO);
    }

    function test_r05_open_contractBuyerThatRefuses_reverts() public {
        ContractBuyer account = new ContractBuyer(stranger.addr, token);
        _fund(address(account), BUYER_MONEY);
        account.approve(address(wallet), 100 * GIO);
        DealTerms memory terms = _terms();
        terms.buyer = address(account);
        _openRefused(
            terms, abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, address(account), _dealId(terms))
        );
    }

    /// @dev A hub may be a contract as well, for example a multisignature.
    function test_open_contractHub_signsByEip1271() public {
        ContractBuyer account = new ContractBuyer(hub.addr, token);
        wallet = _createHub(address(account), "contract");
        _fund(address(wallet), HUB_MONEY);
        vm.prank(address(account));
        wallet.register(_record());
        vm.prank(buyer.addr);
        token.approve(address(wallet), 100 * GIO);
        _assertState(_open(_terms()), DealState.Open);
    }
}
