// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {JobTree} from "./libraries/JobTree.sol";
import {Ledgers} from "./libraries/Ledgers.sol";
import {ResultTree} from "./libraries/ResultTree.sol";
import {Terms} from "./libraries/Terms.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {Claim, Deal, DealId, DealState, DealTerms, PermitSignature, SumNode, SumStep, UnitLeaf} from "./types/Deal.sol";
import {HubRecord, Ledger, WalletConfig, WalletState} from "./types/Wallet.sol";

/// @title HubWallet
/// @notice See {IHubWallet}.
/// @dev A clone's configuration is its immutable arguments; there is no initialiser. Every external function that
/// changes state begins with `_config()`, which is what makes the implementation itself reject the call (R11).
/// Every function is checks, effects, event, interactions; the only contract ever called with effects still to come is
/// the token, for views, and a signer's `isValidSignature`, which cannot change state. So no function needs a guard
/// against being entered again.
contract HubWallet is IHubWallet, EIP712 {
    using Ledgers for Ledger;
    using SafeERC20 for IERC20;
    using TypedData for Claim;
    using TypedData for DealTerms;

    /* IMMUTABLES */

    /// @dev Tells the implementation from its clones, which run the same code at another address.
    address private immutable IMPLEMENTATION = address(this);

    /* STORAGE */

    /// @inheritdoc IHubWallet
    WalletState public state;
    /// @inheritdoc IHubWallet
    uint64 public registeredAt;
    Ledger private _ledger;
    /// @inheritdoc IHubWallet
    mapping(address miner => uint128) public approvedTo;
    mapping(DealId dealId => Deal) private _deals;

    /* CONSTRUCTOR */

    /// @dev Of the implementation. Clones build their own domain: it names the chain they are on and their address (F3).
    constructor() EIP712("GIO", "1") {}

    /* THE HUB */

    /// @inheritdoc IHubWallet
    function register(HubRecord calldata record) external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Created);
        uint128 stake = cfg.parameters.freezeQuota;
        _checkFree(cfg, stake);

        state = WalletState.Registered;
        registeredAt = uint64(block.timestamp);
        _ledger.freeze(stake);
        emit WalletRegistered(cfg.owner, stake, uint64(block.timestamp));
        IWhitelist(cfg.parameters.whitelist).register(record);
    }

    /// @inheritdoc IHubWallet
    function transfer(address miner, uint128 gross) external {
        _payOut(_config(), miner, gross);
    }

    /// @inheritdoc IHubWallet
    function transferNet(address miner, uint128 net) external {
        WalletConfig memory cfg = _config();
        _payOut(cfg, miner, Amounts.grossUp(net, cfg.parameters.lockPercent));
    }

    /// @inheritdoc IHubWallet
    function reconcile(address[] calldata miners) external {
        IERC20 token_ = IERC20(_config().parameters.token);
        for (uint256 i = 0; i < miners.length; ++i) {
            _notePulls(token_, miners[i]);
        }
    }

    /* DEALS: OPENING */

    /// @inheritdoc IHubWallet
    function open(
        DealTerms calldata terms,
        bytes calldata buyerSignature,
        bytes calldata hubSignature,
        PermitSignature calldata permit
    ) external returns (DealId dealId) {
        WalletConfig memory cfg = _config();
        _checkState(WalletState.Registered);
        Terms.check(terms);
        if (block.timestamp > terms.openBy) revert OpenByPassed(terms.openBy, uint64(block.timestamp));
        dealId = dealIdOf(terms);
        Deal storage deal_ = _deals[dealId];
        // INVARIANT: a digest opens once, ever; no path leads back to None.
        if (deal_.state != DealState.None) revert DealStateMismatch(dealId, deal_.state);
        _checkSignatures(cfg, terms.buyer, DealId.unwrap(dealId), buyerSignature, hubSignature);
        // Before the cap joins the ledger and before it arrives: the guarantee is the hub's own money.
        _checkFree(cfg, terms.guarantee);

        deal_.state = DealState.Open;
        _ledger.reserve(terms);
        emit DealOpened(dealId, terms.buyer, terms);
        _permit(cfg, terms.buyer, permit);
        // SAFETY: `from` is who signed these very terms, and `to` is where only these terms take it from.
        IERC20(cfg.parameters.token).safeTransferFrom(terms.buyer, address(this), terms.cap);
    }

    /* DEALS: RESULT */

    /// @inheritdoc IHubWallet
    function postResult(DealTerms calldata terms, bytes32 treeHash, uint64 cuTotal, bytes32 claimsRoot) external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Open);
        uint64 time = uint64(block.timestamp);
        if (time > terms.deliverBy) revert DeliverByPassed(terms.deliverBy, time);
        if (treeHash == 0 && cuTotal != 0) revert SumWithoutTree(cuTotal);

        bytes32 resultRoot = ResultTree.rootOf(terms.unitCount, treeHash, cuTotal);
        uint64 windowEnd = time + terms.window;
        deal_.state = DealState.Posted;
        deal_.windowEnd = windowEnd;
        deal_.cuTotal = cuTotal;
        deal_.resultRoot = resultRoot;
        emit ResultPosted(dealId, resultRoot, treeHash, cuTotal, claimsRoot, windowEnd);
    }

    /* DEALS: ENDS */

    /// @inheritdoc IHubWallet
    function confirm(DealTerms calldata terms, bytes32 resultRoot, bytes calldata signature) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Posted);
        if (resultRoot != deal_.resultRoot) revert ResultRootMismatch(deal_.resultRoot, resultRoot);
        if (msg.sender != terms.buyer) {
            bytes32 digest = _hashTypedDataV4(TypedData.confirmation(dealId, resultRoot));
            _checkBuyerSignature(terms.buyer, digest, signature);
        }
        _settle(cfg, terms, dealId, deal_, true);
    }

    /// @inheritdoc IHubWallet
    function settle(DealTerms calldata terms) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Posted);
        if (block.timestamp < deal_.windowEnd) revert WindowOpen(deal_.windowEnd, uint64(block.timestamp));
        _settle(cfg, terms, dealId, deal_, false);
    }

    /// @inheritdoc IHubWallet
    function refund(DealTerms calldata terms) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Open);
        if (block.timestamp <= terms.deliverBy) revert DeliverByNotPassed(terms.deliverBy, uint64(block.timestamp));

        deal_.state = DealState.Refunded;
        _ledger.release(terms);
        emit DealRefunded(dealId, terms.buyer, terms.cap);
        _send(cfg, terms.buyer, terms.cap);
    }

    /// @inheritdoc IHubWallet
    function cancel(
        DealTerms calldata terms,
        uint128 payment,
        bytes calldata buyerSignature,
        bytes calldata hubSignature
    ) external {
        WalletConfig memory cfg = _config();
        DealId dealId = dealIdOf(terms);
        DealState stage = _deals[dealId].state;
        if (stage != DealState.Open && stage != DealState.Posted) revert DealStateMismatch(dealId, stage);
        if (payment > terms.cap) revert PaymentAboveCap(payment, terms.cap);
        bytes32 digest = _hashTypedDataV4(TypedData.cancellation(dealId, payment));
        _checkSignatures(cfg, terms.buyer, digest, buyerSignature, hubSignature);

        _cancel(cfg, terms, dealId, payment);
    }

    /* DEALS: FALSE BILLS */

    /// @inheritdoc IHubWallet
    function refuteSum(DealTerms calldata terms, SumStep[] calldata path) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealInWindow(terms);
        if (!ResultTree.isRefutedBy(deal_.resultRoot, terms.unitCount, deal_.cuTotal, path)) revert NothingRefuted();
        _refute(cfg, terms, dealId, deal_);
    }

    /// @inheritdoc IHubWallet
    function refuteBill(
        DealTerms calldata terms,
        UnitLeaf calldata unit,
        bytes32[] calldata jobProof,
        Claim calldata claim,
        uint64 billed,
        SumNode[] calldata resultProof
    ) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealInWindow(terms);
        if (!JobTree.contains(terms.jobRoot, terms.unitCount, unit, jobProof)) revert JobProofInvalid(unit.index);
        SumNode memory leaf = SumNode({hash: ResultTree.leafHash(claim.unit, claim.hash(), claim.cu), sum: billed});
        if (!ResultTree.contains(deal_.resultRoot, terms.unitCount, unit.index, leaf, resultProof)) {
            revert ResultProofInvalid(unit.index);
        }
        bool foreign = claim.unit != unit.index || DealId.unwrap(claim.dealId) != DealId.unwrap(dealId);
        if (billed <= unit.cuLimit && billed == claim.cu && !foreign) revert NothingRefuted();
        _refute(cfg, terms, dealId, deal_);
    }

    /* VIEWS */

    /// @inheritdoc IHubWallet
    function ledger() external view returns (Ledger memory) {
        return _ledger;
    }

    /// @inheritdoc IHubWallet
    function freeBalance() external view returns (uint256) {
        return _free(_config());
    }

    /// @inheritdoc IHubWallet
    function deal(DealId dealId) external view returns (Deal memory) {
        return _deals[dealId];
    }

    /// @inheritdoc IHubWallet
    function dealIdOf(DealTerms calldata terms) public view returns (DealId) {
        return DealId.wrap(_hashTypedDataV4(terms.hash()));
    }

    /// @inheritdoc IHubWallet
    function lockOf(uint128 gross) external view returns (uint128) {
        return Amounts.lockDown(gross, _config().parameters.lockPercent);
    }

    /// @inheritdoc IHubWallet
    function grossOf(uint128 net) external view returns (uint128) {
        return Amounts.grossUp(net, _config().parameters.lockPercent);
    }

    /// @inheritdoc IHubWallet
    function config() external view returns (WalletConfig memory) {
        return _config();
    }

    /// @inheritdoc IHubWallet
    function owner() external view returns (address) {
        return _config().owner;
    }

    /// @inheritdoc IHubWallet
    function factory() external view returns (address) {
        return _config().factory;
    }

    /// @inheritdoc IHubWallet
    function dao() external view returns (address) {
        return _config().parameters.dao;
    }

    /// @inheritdoc IHubWallet
    function token() external view returns (address) {
        return _config().parameters.token;
    }

    /// @inheritdoc IHubWallet
    function whitelist() external view returns (address) {
        return _config().parameters.whitelist;
    }

    /// @inheritdoc IHubWallet
    function freezeQuota() external view returns (uint128) {
        return _config().parameters.freezeQuota;
    }

    /// @inheritdoc IHubWallet
    function lockPercent() external view returns (uint8) {
        return _config().parameters.lockPercent;
    }

    /// @inheritdoc IHubWallet
    function daoFeePerMille() external view returns (uint16) {
        return _config().parameters.daoFeePerMille;
    }

    /// @inheritdoc IHubWallet
    function payoutPeriod() external view returns (uint32) {
        return _config().parameters.payoutPeriod;
    }

    /// @inheritdoc IHubWallet
    function suspicionPeriod() external view returns (uint32) {
        return _config().parameters.suspicionPeriod;
    }

    /* PRIVATE: STEPS OF THE ABOVE */

    function _payOut(WalletConfig memory cfg, address miner, uint128 gross) private {
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        if (gross == 0) revert AmountZero();
        // The zero address cannot hold an allowance; the wallet itself could pull but not spend.
        if (miner == address(0) || miner == address(this)) revert MinerInvalid(miner);
        IERC20 token_ = IERC20(cfg.parameters.token);
        _notePulls(token_, miner);
        _checkFree(cfg, gross);

        uint128 lock = Amounts.lockDown(gross, cfg.parameters.lockPercent);
        uint128 net = gross - lock;
        // What the miner has not pulled yet stays its own: payouts add up.
        uint128 allowance = approvedTo[miner] + net;
        approvedTo[miner] = allowance;
        _ledger.payOut(lock, net);
        emit PaymentApproved(miner, gross, lock, net, allowance);
        token_.forceApprove(miner, allowance);
    }

    /// @dev An allowance only ever shrinks by the miner's own pulls: nobody but this wallet can set it.
    function _notePulls(IERC20 token_, address miner) private {
        uint128 seen = approvedTo[miner];
        if (seen == 0) return;
        uint256 left = token_.allowance(address(this), miner);
        if (left >= seen) return;
        // forge-lint: disable-next-line(unsafe-typecast)
        uint128 allowance = uint128(left); // below `seen`
        approvedTo[miner] = allowance;
        _ledger.notePull(seen - allowance);
        emit PullSeen(miner, seen - allowance, allowance);
    }

    /// @dev A permit somebody else sent first, or that fails for any other reason, does not matter: the transfer after
    /// it decides by the allowance that is there (R5).
    function _permit(WalletConfig memory cfg, address buyer, PermitSignature calldata p) private {
        if (p.deadline == 0) return;
        try IERC20Permit(cfg.parameters.token).permit(buyer, address(this), p.value, p.deadline, p.v, p.r, p.s) {}
            catch {}
    }

    function _settle(
        WalletConfig memory cfg,
        DealTerms calldata terms,
        DealId dealId,
        Deal storage deal_,
        bool confirmed
    ) private {
        uint128 payment = Amounts.paymentDown(terms.cap, deal_.cuTotal, terms.pricePerPu);
        uint128 royalty = Amounts.royaltyDown(payment, terms.royaltyPerMille);
        deal_.state = DealState.Settled;
        _ledger.release(terms);
        emit DealSettled(dealId, terms.buyer, payment, royalty, terms.cap - payment, confirmed);
        _send(cfg, terms.royaltyTo, royalty);
        _send(cfg, terms.buyer, terms.cap - payment);
    }

    function _cancel(WalletConfig memory cfg, DealTerms calldata terms, DealId dealId, uint128 payment) private {
        uint128 royalty = Amounts.royaltyDown(payment, terms.royaltyPerMille);
        _deals[dealId].state = DealState.Cancelled;
        _ledger.release(terms);
        emit DealCancelled(dealId, terms.buyer, payment, royalty, terms.cap - payment);
        _send(cfg, terms.royaltyTo, royalty);
        _send(cfg, terms.buyer, terms.cap - payment);
    }

    function _refute(WalletConfig memory cfg, DealTerms calldata terms, DealId dealId, Deal storage deal_) private {
        deal_.state = DealState.Refuted;
        _ledger.release(terms);
        emit DealRefuted(dealId, terms.buyer, msg.sender, terms.cap, terms.guarantee);
        _send(cfg, terms.buyer, uint256(terms.cap) + terms.guarantee);
    }

    function _send(WalletConfig memory cfg, address to, uint256 amount) private {
        if (amount != 0) IERC20(cfg.parameters.token).safeTransfer(to, amount);
    }

    /* PRIVATE: CHECKS */

    /// @dev Also the wall in front of the implementation, which has no arguments in its code (R11).
    function _config() private view returns (WalletConfig memory) {
        if (address(this) == IMPLEMENTATION) revert CallToImplementation();
        return abi.decode(Clones.fetchCloneArgs(address(this)), (WalletConfig));
    }

    function _checkOwner(WalletConfig memory cfg) private view {
        if (msg.sender != cfg.owner) revert NotOwner(msg.sender, cfg.owner);
    }

    function _checkState(WalletState required) private view {
        if (state != required) revert WalletStateMismatch(state, required);
    }

    function _checkFree(WalletConfig memory cfg, uint256 needed) private view {
        uint256 free = _free(cfg);
        if (free < needed) revert FreeBalanceTooLow(free, needed);
    }

    function _free(WalletConfig memory cfg) private view returns (uint256) {
        return _ledger.free(IERC20(cfg.parameters.token).balanceOf(address(this)));
    }

    function _checkSignatures(
        WalletConfig memory cfg,
        address buyer,
        bytes32 digest,
        bytes calldata buyerSignature,
        bytes calldata hubSignature
    ) private view {
        _checkBuyerSignature(buyer, digest, buyerSignature);
        if (!SignatureChecker.isValidSignatureNowCalldata(cfg.owner, digest, hubSignature)) {
            revert HubSignatureInvalid(cfg.owner, digest);
        }
    }

    function _checkBuyerSignature(address buyer, bytes32 digest, bytes calldata signature) private view {
        if (!SignatureChecker.isValidSignatureNowCalldata(buyer, digest, signature)) {
            revert BuyerSignatureInvalid(buyer, digest);
        }
    }

    function _dealIn(DealTerms calldata terms, DealState required)
        private
        view
        returns (DealId dealId, Deal storage deal_)
    {
        dealId = dealIdOf(terms);
        deal_ = _deals[dealId];
        if (deal_.state != required) revert DealStateMismatch(dealId, deal_.state);
    }

    function _dealInWindow(DealTerms calldata terms) private view returns (DealId dealId, Deal storage deal_) {
        (dealId, deal_) = _dealIn(terms, DealState.Posted);
        if (block.timestamp >= deal_.windowEnd) revert WindowOver(deal_.windowEnd, uint64(block.timestamp));
    }
}
