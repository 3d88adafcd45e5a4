// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {ICases} from "./interfaces/ICases.sol";
import {IDao} from "./interfaces/IDao.sol";
import {ICaseRegister} from "./interfaces/IGovernment.sol";
import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {Texts} from "./libraries/Texts.sol";
import {Case, CaseKind, CaseOutcome} from "./types/Governance.sol";
import {WalletState} from "./types/Wallet.sol";

/// @title Cases
/// @notice See {ICases}.
contract Cases is ICases {
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    /// @notice A multiaddress or a web address with a content root in it.
    uint256 public constant WHERE_LENGTH_MAX = 256;
    /// @notice What R8 asks for: 1 %.
    uint256 public constant BOND_PER_CENT = 1;

    /* IMMUTABLES */

    IERC20 private immutable TOKEN;
    address private immutable DAO;
    address private immutable TREASURY;
    address private immutable WHITELIST;
    uint128 private immutable BOND_MIN;

    /* STORAGE */

    /// @inheritdoc ICases
    uint256 public caseCount;
    /// @inheritdoc ICases
    mapping(address wallet => uint256) public openAccusations;
    mapping(uint256 caseId => Case) private _cases;
    /// @dev When the first accusation of a registration was opened; forgotten if none outlives the time before payday.
    mapping(address wallet => uint64) private _firstAccusedAt;

    /* CONSTRUCTOR */

    /// @param token_ What bonds are posted in.
    /// @param dao_ Deployed before, with the address of this contract.
    /// @param treasury_ Where forfeited bonds go.
    /// @param whitelist_ Whose wallets can be accused.
    /// @param bondMin_ The least bond, base units.
    constructor(IERC20 token_, address dao_, address treasury_, address whitelist_, uint128 bondMin_) {
        bool coded = address(token_).code.length != 0 && dao_.code.length != 0 && whitelist_.code.length != 0;
        if (!coded || treasury_.code.length == 0 || bondMin_ == 0) revert CasesParametersInvalid();
        address admitted = IDao(dao_).cases();
        if (admitted != address(this)) revert DaoOfOtherCases(admitted);
        TOKEN = token_;
        DAO = dao_;
        TREASURY = treasury_;
        WHITELIST = whitelist_;
        BOND_MIN = bondMin_;
    }

    /* CASES */

    /// @inheritdoc ICases
    function accuse(address wallet, bytes32 evidence, string calldata where, uint128 bond)
        external
        returns (uint256 caseId)
    {
        _checkState(wallet, WalletState.Registered, CaseKind.Accusation);
        _checkBond(bond, bondFor(wallet));
        ++openAccusations[wallet];
        if (_firstAccusedAt[wallet] < IHubWallet(wallet).registeredAt()) {
            _firstAccusedAt[wallet] = uint64(block.timestamp);
        }
        caseId = _open(wallet, CaseKind.Accusation, evidence, where, bond);
    }

    /// @inheritdoc ICases
    function appeal(address wallet, bytes32 evidence, string calldata where, uint128 bond)
        external
        returns (uint256 caseId)
    {
        _checkState(wallet, WalletState.Suspected, CaseKind.Appeal);
        address owner = IHubWallet(wallet).owner();
        if (msg.sender != owner) revert NotAppellant(msg.sender, owner);
        _checkBond(bond, BOND_MIN);
        caseId = _open(wallet, CaseKind.Appeal, evidence, where, bond);
    }

    /// @inheritdoc ICases
    function decide(uint256 caseId) external returns (CaseOutcome outcome) {
        Case storage c = _cases[caseId];
        address wallet = c.wallet;
        if (wallet == address(0)) revert CaseUnknown(caseId);
        if (c.outcome != CaseOutcome.Undecided) revert CaseClosed(caseId, c.outcome);
        outcome = _outcome(c);
        if (outcome == CaseOutcome.Undecided) revert CaseOpen(caseId, c.proposalId);

        c.outcome = outcome;
        if (c.kind == CaseKind.Accusation) _countDown(wallet);
        emit CaseDecided(caseId, wallet, outcome, c.bond);
        if (outcome == CaseOutcome.Rejected) _forfeit(c.bond);
        else TOKEN.safeTransfer(c.opener, c.bond);
    }

    /* VIEWS */

    /// @inheritdoc ICaseRegister
    function isOpen(address wallet) external view returns (bool) {
        return openAccusations[wallet] != 0;
    }

    /// @inheritdoc ICaseRegister
    function accusedSince(address wallet) external view returns (uint64) {
        uint64 first = _firstAccusedAt[wallet];
        // What an earlier registration was accused of can suspect this one no more.
        bool holds = openAccusations[wallet] != 0 && first >= IHubWallet(wallet).registeredAt();
        return holds ? first : 0;
    }

    /// @inheritdoc ICaseRegister
    function isPending(uint256 caseId, address wallet) external view returns (bool) {
        Case storage c = _cases[caseId];
        bool accused = c.wallet == wallet && wallet != address(0) && c.kind == CaseKind.Accusation;
        return accused && c.outcome == CaseOutcome.Undecided && c.openedAt >= IHubWallet(wallet).registeredAt();
    }

    /// @inheritdoc ICases
    function caseOf(uint256 caseId) external view returns (Case memory) {
        return _cases[caseId];
    }

    /// @inheritdoc ICases
    function proposalOf(uint256 caseId) external view returns (uint256) {
        return _cases[caseId].proposalId;
    }

    /// @inheritdoc ICases
    function bondFor(address wallet) public view returns (uint128) {
        uint256 part = Math.ceilDiv(IHubWallet(wallet).ownBalance() * BOND_PER_CENT, 100);
        return part > BOND_MIN ? SafeCast.toUint128(part) : BOND_MIN;
    }

    /// @inheritdoc ICases
    function bondMin() external view returns (uint128) {
        return BOND_MIN;
    }

    /// @inheritdoc ICases
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc ICases
    function dao() external view returns (address) {
        return DAO;
    }

    /// @inheritdoc ICases
    function treasury() external view returns (address) {
        return TREASURY;
    }

    /// @inheritdoc ICases
    function whitelist() external view returns (address) {
        return WHITELIST;
    }

    /* PRIVATE: OPENING */

    function _open(address wallet, CaseKind kind, bytes32 evidence, string calldata where, uint128 bond)
        private
        returns (uint256 caseId)
    {
        if (evidence == 0) revert EvidenceMissing();
        uint256 length = bytes(where).length;
        if (length > WHERE_LENGTH_MAX || !Texts.isVisible(where)) {
            revert EvidencePlaceInvalid(length, WHERE_LENGTH_MAX);
        }
        caseId = ++caseCount;
        Case storage c = _cases[caseId];
        c.wallet = wallet;
        c.openedAt = uint64(block.timestamp);
        c.kind = kind;
        c.opener = msg.sender;
        c.bond = bond;
        c.evidence = evidence;
        c.proposalId = _propose(c, _description(caseId, c, where), caseId);
        emit CaseOpened(caseId, wallet, msg.sender, kind, bond, evidence, where, c.proposalId);
        TOKEN.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @dev The Dao calls nothing but the token while it takes a proposal, so the case may be finished after it.
    function _propose(Case storage c, string memory description, uint256 caseId) private returns (uint256) {
        address[] memory targets = new address[](1);
        uint256[] memory values = new uint256[](1);
        bytes[] memory calls = new bytes[](1);
        targets[0] = c.wallet;
        calls[0] = c.kind == CaseKind.Accusation
            ? abi.encodeCall(IHubWallet.suspect, (caseId))
            : abi.encodeCall(IHubWallet.rehab, ());
        return IGovernor(DAO).propose(targets, values, calls, description);
    }

    /// @dev The last line keeps others from making the same proposal first (see Governor).
    function _description(uint256 caseId, Case storage c, string calldata where) private view returns (string memory) {
        string memory verb = c.kind == CaseKind.Accusation ? ": suspect " : ": rehabilitate ";
        string memory title = string.concat("Case ", Strings.toString(caseId), verb, Strings.toHexString(c.wallet));
        string memory proof = string.concat("\n\nEvidence: ", Strings.toHexString(uint256(c.evidence), 32), " ", where);
        return string.concat(title, proof, "\n#proposer=", Strings.toHexString(address(this)));
    }

    /// @dev As general money: a plain transfer would be fees, half of them dividends of those who voted the case down.
    function _forfeit(uint128 bond) private {
        TOKEN.forceApprove(TREASURY, bond);
        ITreasury(TREASURY).deposit(bond);
    }

    /// @dev Accusations that are all decided before payday have kept nobody waiting.
    function _countDown(address wallet) private {
        if (--openAccusations[wallet] != 0) return;
        uint256 paydayAt = uint256(IHubWallet(wallet).registeredAt()) + IHubWallet(wallet).payoutPeriod();
        if (block.timestamp < paydayAt) delete _firstAccusedAt[wallet];
    }

    /* PRIVATE: CHECKS */

    function _checkState(address wallet, WalletState required, CaseKind kind) private view {
        if (!IWhitelist(WHITELIST).isListed(wallet)) revert IWhitelist.WalletUnknown(wallet);
        if (IHubWallet(wallet).state() != required) revert WalletNotInQuestion(wallet, kind);
    }

    function _checkBond(uint128 bond, uint128 min) private pure {
        if (bond < min) revert BondTooLow(bond, min);
    }

    /// @dev What the vote and the wallet say. Undecided: neither has spoken yet.
    function _outcome(Case storage c) private view returns (CaseOutcome) {
        IGovernor.ProposalState vote = IGovernor(DAO).state(c.proposalId);
        if (vote == IGovernor.ProposalState.Executed) return CaseOutcome.Upheld;
        if (vote == IGovernor.ProposalState.Defeated) return CaseOutcome.Rejected;
        if (vote == IGovernor.ProposalState.Canceled) return CaseOutcome.Moot;
        bool passed = vote == IGovernor.ProposalState.Succeeded || vote == IGovernor.ProposalState.Queued;
        WalletState wallet = IHubWallet(c.wallet).state();
        if (c.kind == CaseKind.Appeal) {
            bool current = c.openedAt >= IHubWallet(c.wallet).suspectedAt();
            if (wallet == WalletState.Suspected && current) return CaseOutcome.Undecided;
            return passed ? CaseOutcome.Upheld : CaseOutcome.Moot;
        }
        // Of an earlier registration: it can suspect the wallet no more, so a vote for it has nothing left to wait for.
        bool ofThisRegistration = c.openedAt >= IHubWallet(c.wallet).registeredAt();
        if (wallet == WalletState.Registered && ofThisRegistration) return CaseOutcome.Undecided;
        if (passed) return CaseOutcome.Upheld;
        // A wallet that only left its registration is still voted on; one that was suspected or banned meanwhile is not.
        bool condemned = wallet == WalletState.Suspected || wallet == WalletState.Punished;
        return condemned ? CaseOutcome.Moot : CaseOutcome.Undecided;
    }
}
